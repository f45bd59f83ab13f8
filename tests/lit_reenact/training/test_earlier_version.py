"""Checkpoints, settings and losses of an earlier version (commit 9204b74), whose settings were flat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import seed_everything

from lit_reenact.networks.settings import DiscriminatorSettings, GeneratorSettings, InputSettings
from lit_reenact.synthesis.inference import load_generator
from lit_reenact.training.checkpoint import load_networks, read_checkpoint
from lit_reenact.training.module import ReenactModule
from lit_reenact.training.run_folder import ADDED
from lit_reenact.training.settings import RENAMED, flatten, module_settings, split_settings
from tests.lit_reenact.training.test_module import Recorder, Windows, quiet_trainer

FLAT: dict[str, Any] = {
    "window": 3,
    "placement": "causal",
    "stride": 1,
    "conditioning": ["diffuse", "correspondence", "eyes"],
    "image_size": 32,
    "channels": 8,
    "levels": 5,
    "max_channels": 32,
    "norm": "batch",
    "dropout": 0.5,
    "head": "residual",
    "discriminator_channels": 8,
    "discriminator_layers": 2,
    "discriminator_norm": "spectral",
    "game": "hinge",
    "lambda_adversarial": 1.0,
    "lambda_feature_matching": 1.0,
    "lambda_r1": 1.0,
    "lambda_l1": 100.0,
    "lambda_face_l1": 10.0,
    "lambda_eyes_l1": 5.0,
    "lambda_mouth_l1": 7.0,
    "lambda_lpips": 10.0,
    "lambda_temporal": 1.0,
    "lpips_backbone": "untrained",
    "learning_rate": 2e-4,
    "beta1": 0.5,
    "clip_norm": 1.0,
    "micro_batches": 2,
    "compile": False,
}
"""The ``hyper_parameters`` of a checkpoint, as that version wrote them."""

TINY = {"channels": 4, "levels": 3, "max_channels": 8, "discriminator_channels": 4, "discriminator_layers": 1}

PLAIN = {
    "head": "tanh",
    "discriminator_norm": None,
    "game": "vanilla",
    "clip_norm": 0.0,
    "micro_batches": 1,
    **{f"lambda_{name}": 0.0 for name in ("feature_matching", "r1", "face_l1", "eyes_l1", "mouth_l1", "lpips", "temporal")},
}

RECORDED: dict[str, dict[str, list[float]]] = {
    "everything": {
        "loss/discriminator": [0.97099233, 0.98826534, 0.98749226, 0.98215592, 0.99155521, 0.99134213],
        "loss/r1": [0.68468249, 0.53998351, 0.41304094, 0.27761722, 0.23866189, 0.19044639],
        "loss/generator_adversarial": [-0.048957434, -0.035806075, -0.038090155, -0.033705492, -0.019522725, -0.0201036],
        "loss/feature_matching": [0.13161045, 0.1336934, 0.13317214, 0.12301087, 0.12484539, 0.12444041],
        "loss/l1": [0.53064001, 0.52553988, 0.52888417, 0.52849984, 0.5235157, 0.52671856],
        "loss/face_l1": [0.52804834, 0.52718365, 0.52656353, 0.5258944, 0.52510953, 0.52440548],
        "loss/eyes_l1": [0.53944927, 0.52403688, 0.52075136, 0.53721488, 0.52198625, 0.51880455],
        "loss/mouth_l1": [0.51401424, 0.52914, 0.52581203, 0.51169008, 0.52716804, 0.52354622],
        "loss/temporal": [0, 0, 0, 0, 0, 0],
        "gradient/generator": [43.70277, 41.782906, 43.018528, 42.913368, 40.300705, 42.705315],
        "gradient/discriminator": [20.78825, 15.182849, 11.481219, 7.0158758, 5.7209344, 4.4774203],
    },
    "paper": {
        "loss/discriminator": [0.70088124, 0.70869553, 0.70274812, 0.68898439, 0.69761783, 0.6942187],
        "loss/generator_adversarial": [0.74898541, 0.72555918, 0.69465983, 0.73028296, 0.71509176, 0.69251323],
        "loss/l1": [0.50326496, 0.50705057, 0.50274909, 0.50081366, 0.50570655, 0.50008589],
        "gradient/generator": [37.186443, 44.827255, 36.734562, 30.075359, 33.551888, 33.783566],
        "gradient/discriminator": [0.54224253, 0.55593431, 0.51423866, 0.45216104, 0.476219, 0.46677852],
    },
}
"""Losses and lengths of gradients that version logged in six batches, with seed 0; without LPIPS, which had another network."""

FRAME_MEAN = -0.008876573294401169
FRAME_ROW = [
    [-0.98003751, -0.74189860, 0.45543975, -0.33089983],
    [-0.74180734, 0.65472859, -0.88119334, -0.74817592],
    [0.32754129, -0.13628265, 0.62804687, 0.76734781],
]
"""Mean of the frame that the tiny generator of that version made of a fixed window, and pixels 8 to 11 of its row 16."""


def random(*shape: int, seed: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def seeded_module(flat: dict[str, Any]) -> ReenactModule:
    seed_everything(0, verbose=False)
    return ReenactModule(**module_settings(flat))


@pytest.mark.parametrize(("name", "changes"), [("everything", {"lambda_lpips": 0.0}), ("paper", PLAIN)])
def test_losses_agree(name: str, changes: dict[str, Any]) -> None:
    module, data, recorder = seeded_module(FLAT | changes), Windows(), Recorder()
    module.base = data.mean_frame
    quiet_trainer(callbacks=[recorder], max_epochs=2, limit_val_batches=0).fit(module, data)
    assert len(recorder.logged) == 6
    for loss, values in RECORDED[name].items():
        assert [logged[loss] for logged in recorder.logged] == pytest.approx(values, rel=1e-4, abs=1e-5), loss


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint with flat settings, as that version wrote it."""
    module = seeded_module(FLAT | TINY)
    module.generator.set_base(random(3, 32, 32, seed=1))
    torch.nn.init.normal_(module.generator.to_frame.weight, 0, 0.5, generator=torch.Generator().manual_seed(2))
    state = {"state_dict": module.state_dict(), "hyper_parameters": {**FLAT, **TINY}, "batch_step": 7}
    state["hyper_parameters"]["_instantiator"] = "lightning.pytorch.cli.instantiate_module"
    torch.save(state, tmp_path / "flat.ckpt")
    return tmp_path / "flat.ckpt"


def test_a_flat_checkpoint_is_read_to_the_same_generator(checkpoint: Path) -> None:
    generator = load_generator(checkpoint)
    with torch.no_grad():
        frame = generator(random(1, 27, 32, 32, seed=3))
    assert frame.mean().item() == pytest.approx(FRAME_MEAN, abs=1e-5)
    assert torch.allclose(frame[0, :, 16, 8:12], torch.tensor(FRAME_ROW), atol=1e-5)


def test_a_flat_checkpoint_is_read_to_the_same_settings(checkpoint: Path) -> None:
    module = load_networks(checkpoint, read_checkpoint(checkpoint))
    assert module.inputs == InputSettings(image_size=32, window=3)
    settings = module_settings(FLAT | TINY)
    assert settings["generator"] == GeneratorSettings(channels=4, levels=3, max_channels=8)
    assert settings["discriminator"] == DiscriminatorSettings(channels=4, layers=1, norm="spectral")
    assert (module.losses.gan_loss, module.losses.mouth_l1, module.losses.lpips_backbone) == ("hinge", 7.0, "alex")
    assert (module.optimizer.clip_norm, module.optimizer.micro_batches) == (1.0, 2)


def test_every_old_name_has_a_place() -> None:
    settings = {f"model.{name}" for name, _ in flatten(dict(ReenactModule().hparams))}
    flat = {RENAMED.get(f"model.{name}", f"model.{name}") for name in FLAT}
    added = {name for name in ADDED if name.startswith("model.")}
    assert flat | added | {"model._instantiator"} == settings


def test_the_split_of_an_earlier_training_is_read() -> None:
    split = split_settings({"fractions": (0.6, 0.2), "training_frames": 500, "image_size": 256, "workers": 2})
    assert (split.fractions, split.training_frames) == ((0.6, 0.2), 500)
    assert split_settings({}).fractions == (0.7, 0.1)
