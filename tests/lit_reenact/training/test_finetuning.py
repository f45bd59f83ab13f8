"""Weights that a training takes over from a checkpoint, and checkpoints that it cannot start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.training.finetuning import start_from
from lit_reenact.training.module import ReenactModule
from tests.factories import make_module


def saved(module: ReenactModule, folder: Path, **more: Any) -> Path:
    path = folder / "a.ckpt"
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams), **more}, path)
    return path


def test_both_networks_start_there_but_the_mean_frame_does_not(tmp_path: Path) -> None:
    trained, module = (
        make_module(),
        make_module(optimizer={"learning_rate": 1e-3}, losses={"l1": 5.0}, generator={"dropout": 0.1}),
    )
    trained.generator.set_base(torch.full((3, 32, 32), 0.5))
    average = {name: 0.5 * value for name, value in trained.generator.state_dict().items()}
    start_from(module, saved(trained, tmp_path, generator_ema=average))
    for name, value in module.generator.state_dict().items():
        assert torch.equal(value, torch.zeros(3, 32, 32) if name == "mean_frame" else average[name].to(value.dtype))
    for name, value in module.discriminator.state_dict().items():
        assert torch.equal(value, trained.discriminator.state_dict()[name])
    assert module.batch_step == 0
    assert module.optimizer.learning_rate == 1e-3


def test_without_an_average_the_trained_weights_count(tmp_path: Path) -> None:
    trained, module = make_module(generator={"head": "tanh"}), make_module(generator={"head": "tanh"})
    start_from(module, saved(trained, tmp_path))
    assert torch.equal(module.generator.to_frame.weight, trained.generator.to_frame.weight)


def test_everybody_starts_from_the_mean_of_the_textures(tmp_path: Path) -> None:
    trained, module = (make_module(generator={"texture_channels": 1}) for _ in range(2))
    for one, actors in ((trained, 2), (module, 3)):
        one.actors = actors
    trained.setup("fit")
    assert trained.generator.texture is not None
    assert module.generator.texture is not None
    trained.generator.texture.planes.data = torch.stack([torch.full((2, 128, 128), value) for value in (1.0, 4.0)])
    start_from(module, saved(trained, tmp_path))
    module.setup("fit")
    assert torch.equal(module.generator.texture.planes, torch.full((3, 2, 128, 128), 2.5))


@pytest.mark.parametrize(("before", "now"), [(0.0, 1.0), (1.0, 0.0)])
def test_a_training_without_a_discriminator_lends_and_takes_the_generator(tmp_path: Path, before: float, now: float) -> None:
    trained = make_module(losses={"adversarial": before}, discriminator={"channels": 8})
    module = make_module(losses={"adversarial": now})
    start_from(module, saved(trained, tmp_path))
    assert torch.equal(module.generator.to_frame.weight, trained.generator.to_frame.weight)


def test_discriminators_that_the_checkpoint_lacks_start_at_random(tmp_path: Path) -> None:
    trained = make_module(losses={"mouth_adversarial": 1.0})
    module = make_module(losses={"mouth_adversarial": 1.0, "eyes_adversarial": 1.0}, discriminator={"scales": 2})
    before = {name: value.clone() for name, value in module.state_dict().items()}
    start_from(module, saved(trained, tmp_path))
    changed = {name.split(".")[0] for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"generator", "discriminator", "mouth_discriminator"}
    for name in ("discriminator", "mouth_discriminator"):
        for weight, value in module.discriminators[name].state_dict().items():
            assert torch.equal(value, trained.discriminators[name].state_dict()[weight])


def test_a_larger_image_may_start_from_a_smaller_one(tmp_path: Path) -> None:
    trained, module = make_module(), make_module(inputs={"image_size": 64})
    start_from(module, saved(trained, tmp_path))
    assert torch.equal(module.generator.to_frame.weight, trained.generator.to_frame.weight)
    assert module.generator.mean_frame.shape == (3, 64, 64)


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("inputs", "conditioning", ["diffuse", "eyes"]),
        ("inputs", "conditioning", ["eyes", "correspondence", "diffuse"]),
        ("inputs", "window", 5),
        ("inputs", "placement", "centred"),
        ("inputs", "stride", 2),
        ("generator", "channels", 8),
        ("generator", "levels", 4),
        ("generator", "max_channels", 16),
        ("generator", "norm", "instance"),
        ("generator", "head", "tanh"),
        ("generator", "texture_channels", 2),
        ("discriminator", "channels", 8),
        ("discriminator", "layers", 2),
    ],
)
def test_other_networks_are_refused_by_the_setting_that_differs(tmp_path: Path, group: str, name: str, value: Any) -> None:
    module = make_module()
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    with pytest.raises(ReenactError, match=rf"a\.ckpt has other networks: it was trained with model\.{group}\.{name} = "):
        start_from(module, saved(make_module(**{group: {name: value}}), tmp_path))
    assert all(torch.equal(tensor, before[key]) for key, tensor in module.state_dict().items())


def test_an_image_of_another_size_whose_smallest_map_is_one_pixel_is_refused(tmp_path: Path) -> None:
    """A map of one pixel is not normalised, so the network has other layers."""
    with pytest.raises(ReenactError, match=r"model\.inputs\.image_size = 32, this command has 64"):
        start_from(
            make_module(generator={"levels": 5}, inputs={"image_size": 64}), saved(make_module(generator={"levels": 5}), tmp_path)
        )


def test_the_same_images_by_list_or_tuple_are_the_same(tmp_path: Path) -> None:
    start_from(make_module(), saved(make_module(inputs={"conditioning": ["diffuse", "correspondence", "eyes"]}), tmp_path))


def test_unusable_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match="no such checkpoint"):
        start_from(make_module(), tmp_path / "missing.ckpt")
    (tmp_path / "a.ckpt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ReenactError, match=r"a\.ckpt is damaged or no checkpoint"):
        start_from(make_module(), tmp_path / "a.ckpt")
    path = saved(make_module(), tmp_path)
    state = torch.load(path, weights_only=True)
    del state["state_dict"]["generator.to_frame.weight"]
    torch.save(state, path)
    with pytest.raises(ReenactError, match=r"a\.ckpt does not match the network that its settings describe"):
        start_from(make_module(), path)
