"""The training step: whose gradient reaches whom, what is counted, saved and logged, and that two processes stay equal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor
from torch.utils.data import DataLoader

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Window
from lit_reenact.training.module import ReenactModule
from tests.factories import collate_windows, make_module

SMALL: dict[str, dict[str, Any]] = {
    "inputs": {"window": 3, "image_size": 32},
    "generator": {"channels": 8, "levels": 5},
    "discriminator": {"channels": 8},
    "losses": {"lpips": 0.0},
}


class Windows(LightningDataModule):
    """Random windows over a grey mean frame."""

    def __init__(self, count: int = 6, batch_size: int = 2) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.windows = [
            Window(
                torch.rand(27, 32, 32, generator=generator) * 2 - 1,
                torch.rand(3, 32, 32, generator=generator) * 2 - 1,
                torch.randint(4, (32, 32), generator=generator, dtype=torch.uint8),
                torch.tensor(index),
                torch.tensor(0),
                self.mean_frame(),
                torch.zeros(2, 32, 32),
            )
            for index in range(count)
        ]
        self.batch_size = batch_size

    def mean_frame(self) -> Tensor:
        return torch.full((3, 32, 32), 0.25)

    def train_dataloader(self) -> DataLoader[Window]:
        return DataLoader(self.windows, batch_size=self.batch_size, collate_fn=collate_windows)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Window]:
        return self.train_dataloader()

    test_dataloader = val_dataloader


class Recorder(Callback):
    """Keeps what every batch logged, and what validation handed to callbacks."""

    def __init__(self) -> None:
        self.logged: list[dict[str, float]] = []
        self.outputs: list[Tensor] = []

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.logged.append({name: float(value) for name, value in trainer.logged_metrics.items()})

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        self.outputs.append(outputs)


def quiet_trainer(**settings: Any) -> Trainer:
    defaults: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 1,
    }
    return Trainer(**(defaults | settings))


def _fit(module: ReenactModule, **settings: Any) -> tuple[Trainer, Recorder]:
    recorder, data = Recorder(), Windows()
    module.base = data.mean_frame
    trainer = quiet_trainer(callbacks=[recorder], **settings)
    trainer.fit(module, data)
    return trainer, recorder


def test_every_loss_is_logged_by_name_and_without_its_weight() -> None:
    losses = {"l1": 7.0, "lpips": 3.0}
    module = make_module(SMALL, losses=losses, optimizer={"learning_rate": 0.0}, generator={"norm": "none"})
    _, recorder = _fit(module)
    expected = {"loss/discriminator", "loss/generator_adversarial", "loss/l1", "loss/lpips", "batch_step"}
    expected |= {"gradient/generator", "gradient/discriminator"}
    assert set(recorder.logged[0]) == expected
    batch = next(iter(Windows().train_dataloader()))
    # Nothing was learned, and the residual head starts at the mean frame.
    assert recorder.logged[0]["loss/l1"] == pytest.approx((batch.frame - 0.25).abs().mean().item(), abs=1e-3)


@pytest.mark.parametrize(
    ("weights", "logged"),
    [
        ({"adversarial": 0.0}, {"loss/l1"}),
        ({"l1": 0.0}, {"loss/discriminator", "loss/generator_adversarial"}),
        ({}, {"loss/discriminator", "loss/generator_adversarial", "loss/l1"}),
        ({"l1": 0.0, "r1": 1.0}, {"loss/discriminator", "loss/generator_adversarial", "loss/r1"}),
        ({"adversarial": 0.0, "temporal": 1.0}, {"loss/l1", "loss/temporal"}),
        ({"adversarial": 0.0, "face_lpips": 1.0}, {"loss/l1", "loss/face_lpips"}),
        ({"adversarial": 0.0, "mouth_lpips": 1.0}, {"loss/l1", "loss/mouth_lpips"}),
        (
            {"l1": 0.0, "feature_matching": 1.0},
            {"loss/discriminator", "loss/generator_adversarial", "loss/feature_matching"},
        ),
    ],
)
def test_a_weight_of_0_leaves_its_part_out(weights: dict[str, float], logged: set[str]) -> None:
    module = make_module(SMALL, losses=weights)
    trainer, recorder = _fit(module)
    networks = {"generator"} | ({"discriminator"} if "loss/discriminator" in logged else set())
    assert set(recorder.logged[0]) == logged | {"batch_step"} | {f"gradient/{network}" for network in networks}
    assert {name for name, _ in module.named_children()} - {"_lpips"} == networks
    assert (module._lpips is None) == ("lpips" not in str(logged))
    assert {group["name"] for group in trainer.optimizers[0].param_groups} == networks


def test_each_network_descends_its_own_loss_alone() -> None:
    """The gradients of one training step, against those of each loss taken by itself."""
    seed_everything(0, verbose=False)
    module = make_module(
        SMALL,
        optimizer={"learning_rate": 0.0},
        generator={"norm": "none", "dropout": 0.0},
        losses={"adversarial": 0.5, "l1": 10.0},
    )
    _fit(module, max_steps=1)  # a learning rate of 0 keeps the weights as they were
    conditioning, frame, *_ = next(iter(Windows().train_dataloader()))
    fake = module(conditioning)

    logits = module.discriminator(conditioning, fake)
    of_generator = 0.5 * F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits)) + 10 * (fake - frame).abs().mean()
    for parameter, gradient in zip(
        module.generator.parameters(), torch.autograd.grad(of_generator, list(module.generator.parameters())), strict=True
    ):
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-7)

    real, made = module.discriminator(conditioning, frame), module.discriminator(conditioning, fake.detach())
    of_discriminator = (
        F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        + F.binary_cross_entropy_with_logits(made, torch.zeros_like(made))
    ) / 2
    for parameter, gradient in zip(
        module.discriminator.parameters(),
        torch.autograd.grad(of_discriminator, list(module.discriminator.parameters())),
        strict=True,
    ):
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(("weight", "of"), [("r1", "discriminator"), ("feature_matching", "generator")])
def test_what_one_network_adds_is_nothing_to_the_other(weight: str, of: str) -> None:
    gradients: dict[float, dict[str, Tensor]] = {}
    for value in (0.0, 10.0):
        seed_everything(0, verbose=False)
        generator = {"norm": "none", "dropout": 0.0}
        module = make_module(SMALL, generator=generator, losses={weight: value}, optimizer={"learning_rate": 0.0})
        _fit(module, max_steps=1)
        gradients[value] = {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}
    changed = {
        name.split(".")[0] for name, gradient in gradients[10.0].items() if not torch.allclose(gradient, gradients[0.0][name])
    }
    assert changed == {of}


@pytest.mark.parametrize("gan_loss", ["least_squares", "hinge"])
def test_the_other_gan_losses_are_used(gan_loss: str) -> None:
    """The logged losses of the first batch, against the networks taken by themselves."""
    module = make_module(
        SMALL,
        generator={"norm": "none", "dropout": 0.0},
        discriminator={"norm": "instance"},
        losses={"gan_loss": gan_loss},
        optimizer={"learning_rate": 0.0},
    )
    _, recorder = _fit(module, max_steps=1)
    conditioning, frame, *_ = next(iter(Windows().train_dataloader()))
    fake = module(conditioning)
    real, made = module.discriminator(conditioning, frame), module.discriminator(conditioning, fake)
    expected = {
        "least_squares": (((real - 1) ** 2).mean() / 2 + ((made + 1) ** 2).mean() / 2, ((made - 1) ** 2).mean()),
        "hinge": ((1 - real).clamp_min(0).mean() / 2 + (1 + made).clamp_min(0).mean() / 2, -made.mean()),
    }[gan_loss]
    logged = recorder.logged[0]["loss/discriminator"], recorder.logged[0]["loss/generator_adversarial"]
    assert logged == pytest.approx(tuple(float(value) for value in expected), rel=1e-3, abs=1e-4)


def test_long_gradients_are_shortened() -> None:
    def lengths(**settings: float) -> list[float]:
        seed_everything(0, verbose=False)
        module = make_module(SMALL, optimizer={"learning_rate": 0.0, **settings})
        _fit(module, max_steps=1)
        networks = (module.generator, module.discriminator)
        return [float(torch.stack([p.grad.norm() for p in n.parameters() if p.grad is not None]).norm()) for n in networks]

    free = lengths()
    limit = 0.9 * min(free)
    assert lengths(clip_norm=limit) == pytest.approx([limit, limit], rel=1e-3)


def test_both_networks_learn() -> None:
    module = make_module(SMALL)
    before = {name: value.clone() for name, value in module.named_parameters()}
    _fit(module)
    unchanged = [name for name, value in module.named_parameters() if torch.equal(value, before[name])]
    assert not unchanged


def test_batch_step_counts_batches() -> None:
    module = make_module(SMALL)
    trainer, recorder = _fit(module, max_epochs=2)
    assert module.batch_step == 6
    assert trainer.global_step == 6  # Lightning's own count, which schedules and callbacks of others go by
    assert [logged["batch_step"] for logged in recorder.logged] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("every", "expected"), [(2, [None, 2, 2]), (0, [None, None, None])])
def test_values_are_handed_over_where_they_are_written_down(every: int, expected: list[float | None]) -> None:
    _, recorder = _fit(make_module(SMALL), log_every_n_steps=every)
    assert [logged.get("batch_step") for logged in recorder.logged] == expected


def test_validation_hands_the_frames_to_the_callbacks() -> None:
    module = make_module(SMALL)
    _, recorder = _fit(module, num_sanity_val_steps=0)
    assert len(recorder.outputs) == 3
    assert recorder.outputs[0].shape == (2, 3, 32, 32)
    assert not recorder.outputs[0].requires_grad


def test_the_mean_frame_is_the_one_handed_in_unless_a_checkpoint_brought_one() -> None:
    module = make_module(SMALL)
    _fit(module, max_steps=1)
    assert (module.generator.mean_frame == 0.25).all()
    loaded = make_module(SMALL)
    loaded.generator.set_base(torch.full((3, 32, 32), -0.5))
    _fit(loaded, max_steps=1)
    assert (loaded.generator.mean_frame == -0.5).all()


def test_a_checkpoint_is_plain_and_resumes(tmp_path: Path) -> None:
    module = make_module(SMALL, losses={"lpips": 1.0})
    trainer, _ = _fit(module)
    path = tmp_path / "a.ckpt"
    trainer.save_checkpoint(path)

    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["batch_step"] == 3
    assert checkpoint["hyper_parameters"]["generator"]["channels"] == 8
    assert {name.split(".")[0] for name in checkpoint["state_dict"]} == {"generator", "discriminator"}

    resumed = make_module(SMALL, losses={"lpips": 1.0})
    again = quiet_trainer(max_epochs=2)
    again.fit(resumed, Windows(), ckpt_path=path, weights_only=True)
    assert resumed.batch_step == 6

    loaded = ReenactModule.load_from_checkpoint(path, weights_only=True)
    assert loaded.batch_step == 3
    assert torch.equal(loaded.generator.to_frame.weight, module.generator.to_frame.weight)


def test_one_window_can_be_learned_by_heart() -> None:
    seed_everything(0, verbose=False)
    module = make_module(SMALL, generator={"dropout": 0.0}, optimizer={"learning_rate": 2e-3})
    batch = next(iter(Windows(count=2).train_dataloader()))
    ramp = torch.linspace(-0.8, 0.8, 32).expand(3, 32, 32)
    smooth = batch._replace(frame=torch.stack([ramp, -ramp.mT]))

    class OneBatch(Windows):
        def train_dataloader(self) -> DataLoader[Window]:
            return DataLoader([smooth] * 150, batch_size=None)  # type: ignore[arg-type, list-item]

    recorder = Recorder()
    quiet_trainer(callbacks=[recorder], limit_val_batches=0).fit(module, OneBatch())
    l1 = [logged["loss/l1"] for logged in recorder.logged]
    assert l1[-1] < 0.25 * l1[0]


def test_parts_of_the_face_are_weighed_by_their_regions() -> None:
    """Each term against a mean over the pixels that were picked by hand."""
    module = make_module(SMALL, losses={"adversarial": 0.0, "l1": 0.0, "face_l1": 1.0, "eyes_l1": 2.0, "mouth_l1": 3.0})
    batch = next(iter(Windows().train_dataloader()))
    fake = torch.zeros_like(batch.frame)
    error = batch.frame.abs().permute(0, 2, 3, 1)  # (B, H, W, 3)
    expected = {"face_l1": (1.0, error[batch.region > 0]), "eyes_l1": (2.0, error[batch.region == 2])}
    expected["mouth_l1"] = 3.0, error[batch.region == 3]
    terms = module.terms(batch, fake)
    assert terms.keys() == expected.keys()
    for name, (weight, errors) in expected.items():
        assert terms[name][0] == weight
        assert float(terms[name][1]) == pytest.approx(float(errors.mean()), rel=1e-5)


def test_a_batch_in_parts_has_the_gradient_of_the_whole() -> None:
    """Three windows in two parts of different sizes; 5 % of tolerance would let a part that counts too much slip through."""

    def gradients(parts: int) -> Tensor:
        seed_everything(0, verbose=False)
        module = make_module(
            SMALL,
            generator={"norm": "none", "dropout": 0.0},
            losses={"feature_matching": 1.0},
            optimizer={"micro_batches": parts},
        )
        recorder = Recorder()
        quiet_trainer(callbacks=[recorder], max_steps=1, limit_val_batches=0).fit(module, Windows(batch_size=3))
        losses.append(recorder.logged[0]["loss/l1"])
        return torch.cat([weight.grad.flatten() for weight in module.parameters() if weight.grad is not None])

    losses: list[float] = []
    whole, parted = gradients(1), gradients(2)
    assert torch.allclose(parted, whole, rtol=1e-3, atol=1e-5 * float(whole.abs().max()))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


class Spoilt(Windows):
    """Batches whose numbers are given have conditioning images that are not numbers."""

    def __init__(self, batches: set[int]) -> None:
        super().__init__()
        for index in batches:
            self.windows[2 * index] = self.windows[2 * index]._replace(conditioning=torch.full((27, 32, 32), torch.nan))


def test_a_batch_that_is_not_finite_is_skipped_once() -> None:
    weights: list[Tensor] = []

    class Weights(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
            weights.append(torch.cat([value.detach().flatten() for value in pl_module.state_dict().values()]).clone())

    module = make_module(SMALL)
    with pytest.warns(UserWarning, match="batch 2 are not finite"):
        quiet_trainer(callbacks=[Weights()], limit_val_batches=0).fit(module, Spoilt({1}))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])
    assert weights[2].isfinite().all()
    assert module.batch_step == 3

    with pytest.raises(ReenactError, match="2 batches in a row are not finite"):
        quiet_trainer(limit_val_batches=0).fit(make_module(SMALL), Spoilt({1, 2}))


def test_a_skipped_batch_leaves_no_trace_in_the_optimizer() -> None:
    moments: list[list[Tensor]] = []

    class Moments(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
            state = trainer.optimizers[0].state.values()
            moments.append([value.clone() for one in state for value in one.values()])

    with pytest.warns(UserWarning, match="batch 2 are not finite"):
        quiet_trainer(callbacks=[Moments()], limit_val_batches=0).fit(make_module(SMALL), Spoilt({1}))
    assert all(torch.equal(before, after) for before, after in zip(moments[0], moments[1], strict=True))
    assert not any(torch.equal(before, after) for before, after in zip(moments[1], moments[2], strict=True))


def test_more_skipped_batches_in_a_row_end_the_run_before_a_checkpoint(tmp_path: Path) -> None:
    class Saved(Callback):
        def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
            trainer.save_checkpoint(tmp_path / f"{trainer.global_step}.ckpt")

    trainer = quiet_trainer(callbacks=[Saved()], limit_val_batches=0)
    with pytest.warns(UserWarning, match="batch 2"), pytest.raises(ReenactError, match="training stopped at batch step 2"):
        trainer.fit(make_module(SMALL), Spoilt({1, 2}))
    assert {path.name for path in tmp_path.iterdir()} == {"1.ckpt", "2.ckpt"}


@pytest.mark.parametrize("older", [False, True])
def test_a_resumed_training_remembers_that_it_skipped(older: bool, tmp_path: Path) -> None:
    """The second batch in a row is refused as it is without a pause; a checkpoint that does not say counts from 0."""
    trainer, path = quiet_trainer(limit_train_batches=2, limit_val_batches=0), tmp_path / "a.ckpt"
    with pytest.warns(UserWarning, match="batch 2 are not finite"):
        trainer.fit(make_module(SMALL), Spoilt({1}))
    trainer.save_checkpoint(path)
    if older:
        checkpoint = torch.load(path, weights_only=True)
        del checkpoint["skipped"]
        torch.save(checkpoint, path)
    resumed, again = make_module(SMALL), quiet_trainer(max_epochs=2, limit_train_batches=1, limit_val_batches=0)
    expected: Any = (
        pytest.warns(UserWarning, match="batch 3 are not finite: it is skipped, once")
        if older
        else pytest.raises(ReenactError, match="2 batches in a row are not finite: training stopped at batch step 2")
    )
    with expected:
        again.fit(resumed, Spoilt({0}), ckpt_path=path, weights_only=True)


@pytest.mark.parametrize("scaled", [False, True], ids=["bf16", "fp16"])
def test_it_learns_in_half_precision(scaled: bool) -> None:
    """Lightning itself offers fp16 on a GPU alone; here its plugin is given a scaler for the CPU."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, growth_interval=4)
    plugin = MixedPrecision("16-mixed", "cpu", scaler) if scaled else MixedPrecision("bf16-mixed", "cpu")
    module = make_module(
        SMALL,
        generator={"norm": "instance", "dropout": 0.0},
        losses={"r1": 1.0},
        optimizer={"clip_norm": 100.0, "learning_rate": 2e-3},
    )
    before = torch.cat([value.detach().flatten() for value in module.parameters()])
    _, recorder = _fit(module, plugins=[plugin], max_epochs=20, limit_val_batches=0)
    after = torch.cat([value.detach().flatten() for value in module.parameters()])
    assert after.dtype == torch.float32
    assert after.isfinite().all()
    assert not torch.equal(after, before)
    assert recorder.logged[-1]["loss/l1"] < 0.9 * recorder.logged[0]["loss/l1"]
    if scaled:
        assert 1.0 < scaler.get_scale() < 2.0**30  # lowered until gradients fitted
        assert module.skipped.in_a_row == 0


def test_compiled_networks_learn_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The traced graphs are compared; the code that a compiler makes of them is not ours."""
    graphs = []

    def keep(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    compiled = partial(torch.compile, backend=keep)
    monkeypatch.setattr(torch, "compile", compiled)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: setattr(self, "_compiled_call_impl", compiled(self._call_impl)))
    results = []
    for compile_ in (False, True):
        seed_everything(0, verbose=False)
        module = make_module(
            SMALL,
            generator={"norm": "instance", "dropout": 0.0},
            losses={"feature_matching": 1.0, "mouth_adversarial": 1.0},
            compile=compile_,
        )
        _, recorder = _fit(module, limit_val_batches=0)
        results.append((recorder.logged, module.state_dict()))
    (logged, weights), (compiled_logged, compiled_weights) = results
    assert len(logged) == len(compiled_logged) == 3
    for plain, traced in zip(logged, compiled_logged, strict=True):
        assert traced == pytest.approx(plain, rel=1e-4, abs=1e-6)
    assert len(graphs) > 2  # the generator, and two ways through the discriminator
    assert list(weights) == list(compiled_weights)
    for name, value in weights.items():
        assert torch.allclose(compiled_weights[name], value, rtol=1e-3, atol=1e-5), name


@pytest.mark.slow
def test_two_processes_do_what_one_would() -> None:
    """Plain DDP: without find_unused_parameters, a backward pass that leaves parameters out fails here."""
    script = Path(__file__).with_name("train_on_two_ranks.py")
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, script], cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-3000:]
