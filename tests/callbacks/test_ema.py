"""The moving average, compared with one computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_reenact.callbacks import BatchBudget, ExponentialMovingAverage
from lit_reenact.callbacks.base import Callback, Trainer
from lit_reenact.training.module import ReenactModule
from tests.factories import make_data, make_module, make_trainer


def copy_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in state.items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Recorder(Callback):
    """Copies of the generator after every batch, and of those that are validated and tested."""

    def __init__(self) -> None:
        self.trained: list[dict[str, Tensor]] = []
        self.validated: list[dict[str, Tensor]] = []

    def on_fit_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self.start = copy_of(pl_module.generator.state_dict())

    def on_train_batch_end(self, trainer: Trainer, pl_module: ReenactModule, *_: Any) -> None:
        self.trained.append(copy_of(pl_module.generator.state_dict()))

    def on_validation_batch_end(self, trainer: Trainer, pl_module: ReenactModule, *_: Any) -> None:
        self.validated.append(copy_of(pl_module.generator.state_dict()))

    on_test_batch_end = on_validation_batch_end


def train(folder: Path, track_folder: Path, decay: float) -> tuple[ExponentialMovingAverage, Recorder, ReenactModule, Trainer]:
    ema, recorder, module = ExponentialMovingAverage(decay), Recorder(), make_module()
    trainer = make_trainer(folder, ema, recorder, BatchBudget(6), val_check_interval=3)
    trainer.fit(module, datamodule=make_data(track_folder))
    return ema, recorder, module, trainer


def test_the_average_equals_one_computed_by_hand(track_folder: Path, tmp_path: Path) -> None:
    ema, recorder, _, _ = train(tmp_path, track_folder, decay=0.31)
    assert ema.average is not None
    expected = {name: value.double() for name, value in recorder.start.items()}
    for keep, state in zip([2 / 11, 3 / 12, 4 / 13, 0.31, 0.31, 0.31], recorder.trained, strict=True):
        for name, value in state.items():
            expected[name] = keep * expected[name] + (1 - keep) * value.double() if value.is_floating_point() else value.double()
    for name, value in ema.average.items():
        assert torch.allclose(value.double(), expected[name], atol=1e-6), name
    assert not same(ema.average, recorder.trained[-1])


def test_validation_uses_the_average_and_training_continues_with_its_own_weights(track_folder: Path, tmp_path: Path) -> None:
    ema, recorder, module, trainer = train(tmp_path, track_folder, decay=0.99)
    assert ema.average is not None
    assert same(recorder.validated[-1], ema.average)
    assert not same(recorder.validated[0], recorder.trained[2])
    assert same(module.generator.state_dict(), recorder.trained[-1])
    trainer.test(module, datamodule=make_data(track_folder), verbose=False)
    assert same(recorder.validated[-1], ema.average)
    assert same(module.generator.state_dict(), recorder.trained[-1])


def test_the_checkpoint_holds_a_state_of_the_generator_without_pickles(track_folder: Path, tmp_path: Path) -> None:
    ema, _, module, trainer = train(tmp_path, track_folder, decay=0.99)
    trainer.save_checkpoint(tmp_path / "some.ckpt")
    checkpoint = torch.load(tmp_path / "some.ckpt", weights_only=True)
    assert ema.average is not None
    assert same(checkpoint["generator_ema"], ema.average)
    make_module().generator.load_state_dict(checkpoint["generator_ema"])
    stored = {name.removeprefix("generator."): v for name, v in checkpoint["state_dict"].items() if name.startswith("generator.")}
    assert same(stored, copy_of(module.generator.state_dict()))


def test_an_interrupted_validation_restores_the_weights(track_folder: Path, tmp_path: Path) -> None:
    ema, module = ExponentialMovingAverage(0.5), make_module()
    ema.average = {name: torch.zeros_like(value) for name, value in module.generator.state_dict().items()}
    before = copy_of(module.generator.state_dict())
    trainer = make_trainer(tmp_path)
    ema.on_validation_start(trainer, module)
    assert not same(module.generator.state_dict(), before)
    ema.on_exception(trainer, module, KeyboardInterrupt())
    assert same(module.generator.state_dict(), before)
