"""Losses of several discriminators, against the networks taken by themselves; whom their gradients reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor

from lit_reenact.core.crops import cut_boxes
from lit_reenact.core.schema import MOUTH, Window
from lit_reenact.training.module import ReenactModule
from tests.factories import make_module
from tests.lit_reenact.training.test_module import SMALL, Recorder, Windows, quiet_trainer

EVERYTHING: dict[str, Any] = {
    "discriminator": {"layers": 2, "scales": 2, "norm": "none"},
    "losses": {"mouth_adversarial": 2.0, "eyes_adversarial": 3.0, "feature_matching": 5.0, "l1": 0.0},
}
JUDGES = {"discriminator", "half_discriminator", "mouth_discriminator", "eyes_discriminator"}


def everything(**groups: Any) -> ReenactModule:
    seed_everything(0, verbose=False)
    return make_module({name: {**SMALL.get(name, {}), **EVERYTHING.get(name, {})} for name in SMALL}, **groups)


@pytest.fixture
def batch() -> Window:
    """Two windows; the mouth is seen in the first alone, eyes in none."""
    windows = next(iter(Windows().train_dataloader()))
    region = torch.zeros_like(windows.region)
    region[0, 16:26, 8:18] = MOUTH
    return windows._replace(region=region)


def entropies(logits: Tensor, real: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, real))


def test_terms_are_means_over_the_scales(batch: Window) -> None:
    module = everything()
    fake = -batch.frame
    terms = module.terms(batch, fake)
    wanted, judged, matching = [], [], []
    for network, shrink in ((module.discriminator, 1), (module.discriminators["half_discriminator"], 2)):
        window = batch.conditioning if shrink == 1 else batch.conditioning[:, 18:]
        conditioning, real, made = (F.avg_pool2d(images, shrink) for images in (window, batch.frame, fake))
        of_real, of_made = (network.features(network.embed_conditioning(conditioning), one) for one in (real, made))
        judged.append((entropies(of_real[-1], 1.0) + entropies(of_made[-1], 0.0)) / 2)
        wanted.append(entropies(of_made[-1], 1.0))
        maps = list(zip(of_real[:-1], of_made[:-1], strict=True))
        matching.append(sum((a - b).abs().mean() for a, b in maps) / len(maps))
    for name, weight, values in (
        ("discriminator", 1.0, judged),
        ("generator_adversarial", 1.0, wanted),
        ("feature_matching", 5.0, matching),
    ):
        assert terms[name][0] == weight
        assert float(terms[name][1]) == pytest.approx(float((values[0] + values[1]) / 2), rel=1e-5)


def test_a_sample_without_a_mouth_does_not_count(batch: Window) -> None:
    module = everything().eval()  # spectral norms stay as they are
    fake = -batch.frame
    terms = module.terms(batch, fake)
    network = module.discriminators["mouth_discriminator"]
    shown = [cut_boxes(images[:1], torch.tensor([[13.0, 21.0, 12.0]]), 32) for images in (batch.conditioning, batch.frame, fake)]
    real, made = (network(shown[0][:, 18:], frame) for frame in shown[1:])
    assert terms["mouth_discriminator"][0] == 1
    assert float(terms["mouth_discriminator"][1]) == pytest.approx(float(entropies(real, 1) + entropies(made, 0)) / 2, rel=1e-5)
    assert terms["mouth_adversarial"][0] == 2
    assert float(terms["mouth_adversarial"][1]) == pytest.approx(float(entropies(made, 1)), rel=1e-5)
    assert float(terms["eyes_discriminator"][1]) == float(terms["eyes_adversarial"][1]) == 0


def test_the_generator_learns_of_a_mouth_where_it_is(batch: Window) -> None:
    module, fake = everything(), (-batch.frame).requires_grad_()
    _, loss = module.terms(batch, fake)["mouth_adversarial"]
    loss.backward()  # type: ignore[no-untyped-call]
    assert fake.grad is not None
    assert fake.grad[0, :, 15:27, 7:19].all()
    fake.grad[0, :, 14:28, 6:20] = 0  # the box is a pixel wider on each side, and interpolation reaches one more
    assert not fake.grad.any()
    assert all(weight.grad is None for weight in module.parameters())


def test_each_discriminator_descends_its_own_loss_alone(batch: Window) -> None:
    module = everything()
    fake = module(batch.conditioning)
    terms = module.terms(batch, fake)
    for name in ("mouth_discriminator", "discriminator"):
        module.zero_grad()
        terms[name][1].backward(retain_graph=True)  # type: ignore[no-untyped-call]
        reached = {name.split(".")[0] for name, weight in module.named_parameters() if weight.grad is not None}
        assert reached == ({"mouth_discriminator"} if "mouth" in name else {"discriminator", "half_discriminator"})


def test_every_weight_gets_a_gradient_even_of_a_batch_that_shows_nothing(batch: Window) -> None:
    """Plain DDP waits for all of them."""
    module = everything()
    terms = module.terms(batch._replace(region=torch.zeros_like(batch.region)), module(batch.conditioning))
    torch.stack([weight * loss for weight, loss in terms.values()]).sum().backward()  # type: ignore[no-untyped-call]
    assert not [name for name, weight in module.named_parameters() if weight.grad is None]
    assert all(not weight.grad.any() for weight in module.discriminators["mouth_discriminator"].parameters())


def test_they_are_trained_logged_and_resumed_exactly(tmp_path: Path) -> None:
    def fit(epochs: int, start: Path | None = None) -> tuple[ReenactModule, Trainer, Recorder]:
        module, recorder = everything(generator={"dropout": 0.0}, optimizer={"micro_batches": 2}), Recorder()
        trainer = quiet_trainer(callbacks=[recorder], max_epochs=epochs, limit_val_batches=0)
        trainer.fit(module, Windows(), ckpt_path=start, weights_only=True)
        return module, trainer, recorder

    whole, trainer, recorder = fit(2)
    assert {group["name"] for group in trainer.optimizers[0].param_groups} == {"generator"} | JUDGES
    assert {f"gradient/{name}" for name in whole.networks} < recorder.logged[0].keys()
    assert {"loss/mouth_adversarial", "loss/eyes_discriminator"} < recorder.logged[0].keys()
    untouched = everything().state_dict()
    assert not [name for name, weight in whole.named_parameters() if torch.equal(weight, untouched[name])]
    fit(1)[1].save_checkpoint(tmp_path / "a.ckpt")
    resumed = fit(2, start=tmp_path / "a.ckpt")[0].state_dict()
    assert not [name for name, value in whole.state_dict().items() if not torch.equal(value, resumed[name])]


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_they_learn_in_half_precision(precision: Literal["bf16-mixed", "16-mixed"]) -> None:
    """Lightning itself offers fp16 on a GPU alone; here its plugin is given a scaler for the CPU."""
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0) if precision == "16-mixed" else None
    module = everything(losses={"r1": 1.0})
    before = {name: value.clone() for name, value in module.state_dict().items()}
    trainer = quiet_trainer(plugins=[MixedPrecision(precision, "cpu", scaler)], limit_val_batches=0)
    trainer.fit(module, Windows())
    assert module.skipped.in_a_row == 0
    weights = {name: weight for name, weight in module.named_parameters() if weight.dim() == 4}  # a bias may cancel
    assert not [name for name, weight in weights.items() if torch.equal(weight, before[name])]
    assert all(value.isfinite().all() for value in module.state_dict().values())


def test_they_change_nothing_about_how_the_others_begin() -> None:
    seed_everything(0, verbose=False)
    plain = make_module(SMALL, discriminator={"layers": 2, "norm": "none"}).state_dict()
    state = everything().state_dict()
    assert all(torch.equal(value, state[name]) for name, value in plain.items())
