"""The checkpoints of a training and their batch steps, and resumed trainings that continue where they stopped."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_reenact.callbacks import BatchBudget, BatchStepCheckpoint, ExponentialMovingAverage, FrameMetrics, GracefulStop
from lit_reenact.callbacks.base import Callback, Trainer
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.paths import config_path
from lit_reenact.core.schema import Window
from lit_reenact.training.cli import parse_config
from lit_reenact.training.module import ReenactModule
from tests.factories import TINY, groups_of, make_data, make_module, make_trainer


class Scores(Callback):
    """Callback that logs a scripted error at each validation."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        pl_module.log("val/face_l1", self.scores.pop(0))


class Errors(Callback):
    """Callback that logs the sum of L1 errors at each validation and records it with the batch step."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, float]] = []
        self.sum = 0.0

    def on_validation_batch_end(self, trainer: Trainer, pl_module: ReenactModule, outputs: Any, batch: Window, *_: Any) -> None:
        self.sum += float((outputs - batch.frame).abs().mean())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        pl_module.log("val/face_l1", self.sum)
        self.seen.append((pl_module.batch_step, self.sum))
        self.sum = 0.0


class Steps(Callback):
    """Callback that records the batch steps, and may interrupt the training as a user would."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self.seen: list[int] = []
        self.interrupt_at = interrupt_at

    def on_train_batch_end(self, trainer: Trainer, pl_module: ReenactModule, *_: Any) -> None:
        self.seen.append(pl_module.batch_step)
        if pl_module.batch_step == self.interrupt_at:
            raise KeyboardInterrupt


def load(folder: Path, name: str) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return checkpoint


def test_the_budget_counts_batches_and_the_last_one_is_saved(track_folder: Path, tmp_path: Path) -> None:
    steps = Steps()
    trainer = make_trainer(tmp_path, steps, Scores(9.0), BatchBudget(17), BatchStepCheckpoint(every_n_batches=5))
    trainer.fit(make_module(), datamodule=make_data(track_folder))
    assert steps.seen == list(range(1, 18))  # over two epochs of 15 batches
    assert load(tmp_path, "last")["batch_step"] == 17
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt", "previous.ckpt"]
    assert load(tmp_path, "previous")["batch_step"] == 15


def test_last_is_written_every_so_many_batches(track_folder: Path, tmp_path: Path) -> None:
    written = []

    class Spy(Callback):
        def on_save_checkpoint(self, trainer: Trainer, pl_module: ReenactModule, checkpoint: dict[str, Any]) -> None:
            written.append(pl_module.batch_step)

    trainer = make_trainer(tmp_path, Spy(), BatchBudget(12), BatchStepCheckpoint(every_n_batches=5), limit_val_batches=0)
    trainer.fit(make_module(), datamodule=make_data(track_folder))
    assert written == [5, 10, 12]


def test_best_is_the_validation_with_the_smallest_error(track_folder: Path, tmp_path: Path) -> None:
    callbacks = Scores(9.0, 5.0, 7.0), BatchBudget(9), BatchStepCheckpoint()
    make_trainer(tmp_path, *callbacks, val_check_interval=3).fit(make_module(), datamodule=make_data(track_folder))
    assert load(tmp_path, "best")["batch_step"] == 6


def test_lpips_can_choose_the_best(track_folder: Path, tmp_path: Path) -> None:
    seen: dict[int, float] = {}

    class Spy(Callback):
        def on_validation_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
            seen[pl_module.batch_step] = float(trainer.callback_metrics["val/lpips"])

    callbacks = FrameMetrics(), Spy(), BatchBudget(9), BatchStepCheckpoint(monitor="val/lpips")
    data = make_data(track_folder, inputs={"image_size": 64})
    module = make_module(inputs={"image_size": 64})
    make_trainer(tmp_path, *callbacks, val_check_interval=3, num_sanity_val_steps=0).fit(module, datamodule=data)
    assert list(seen) == [3, 6, 9]
    assert load(tmp_path, "best")["batch_step"] == min(seen, key=lambda step: seen[step])


def test_an_unknown_monitor_is_refused_in_a_sentence(track_folder: Path) -> None:
    words = [f"--config={config_path('debug')}", f"--track={track_folder}", "--checkpoint.monitor=val/beauty"]
    with pytest.raises(ReenactError, match=r"(?s)checkpoint.*val/beauty"):
        parse_config(words)


def test_a_resumed_run_only_takes_a_better_best(track_folder: Path, tmp_path: Path) -> None:
    """The best checkpoint may be newer than the one that the training resumes from."""
    data = make_data(track_folder)
    first = Scores(5.0), BatchBudget(3), BatchStepCheckpoint(every_n_batches=2)
    make_trainer(tmp_path, *first, val_check_interval=3).fit(make_module(), datamodule=data)
    last = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint = load(tmp_path, "last")
    key = next(key for key in checkpoint["callbacks"] if "BatchStepCheckpoint" in key)
    checkpoint["callbacks"][key] = {"value": 8.0, "batch_step": 1}
    torch.save(checkpoint, last)
    second = Scores(6.0, 4.0), BatchBudget(9), BatchStepCheckpoint()
    make_trainer(tmp_path, *second, val_check_interval=3).fit(make_module(), datamodule=data, ckpt_path=last)
    assert load(tmp_path, "best")["batch_step"] == 9


def test_an_interrupted_run_is_saved_and_continues_at_the_next_batch(track_folder: Path, tmp_path: Path) -> None:
    data = make_data(track_folder)
    steps = Steps(interrupt_at=7)
    callbacks = ExponentialMovingAverage(), steps, BatchBudget(20), BatchStepCheckpoint()
    with pytest.raises(SystemExit):
        make_trainer(tmp_path, *callbacks).fit(make_module(), datamodule=data)
    saved = load(tmp_path, "last")
    assert saved["batch_step"] == 7

    resumed, module, ema = Steps(), make_module(), ExponentialMovingAverage()
    callbacks = ema, resumed, Scores(9.0), BatchBudget(20), BatchStepCheckpoint()
    trainer = make_trainer(tmp_path, *callbacks)
    trainer.fit(module, datamodule=data, ckpt_path=tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert resumed.seen == list(range(8, 21))
    assert load(tmp_path, "last")["batch_step"] == 20


@pytest.mark.parametrize("stop", [6, 7, 15])
def test_a_stopped_training_ends_as_one_without_a_stop(track_folder: Path, tmp_path: Path, stop: int) -> None:
    """Weights, averages, optimizer and random states, positions in all loops, and validation errors are equal bit by bit."""
    data = make_data(track_folder, balance=True)

    def train(folder: Path, budget: int) -> list[tuple[int, float]]:
        torch.manual_seed(0)
        errors = Errors()
        callbacks = ExponentialMovingAverage(), errors, BatchBudget(budget), BatchStepCheckpoint()
        trainer = make_trainer(folder, *callbacks, val_check_interval=6, deterministic=True)
        last = folder / "checkpoints" / "last.ckpt"
        resumed = last if last.is_file() else None
        trainer.fit(make_module(generator={"dropout": 0.5}), datamodule=data, ckpt_path=resumed, weights_only=True)
        return errors.seen

    expected = train(tmp_path / "whole", 20)
    assert [step for step, _ in expected] == [6, 12, 18, 20]
    seen = train(tmp_path / "parts", stop) + train(tmp_path / "parts", 20)
    assert [error for error in seen if error in expected] == expected  # besides them, one where the first part ended
    assert len(seen) == len(expected) + (stop % 6 > 0)
    one, other = (load(tmp_path / name, "last") for name in ("whole", "parts"))
    for key in ("state_dict", "generator_ema", "optimizer_states", "random_states", "loops"):
        assert not differing(one[key], other[key]), key


def differing(one: Any, other: Any) -> list[Any]:
    """Return the pairs of leaves in which two nested values differ, bit by bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return [pair for key in one for pair in differing(one[key], other[key])]
    if isinstance(one, list | tuple):
        return [pair for pair in zip(one, other, strict=True) if differing(*pair)]
    same = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    return [] if same else [(one, other)]


def test_a_full_disk_stops_the_training_and_leaves_the_previous_checkpoint(track_folder: Path, tmp_path: Path) -> None:
    class Fill(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: ReenactModule, *_: Any) -> None:
            if pl_module.batch_step == 8:
                (tmp_path / "checkpoints" / "last.ckpt.part").symlink_to("/dev/full")

    trainer = make_trainer(tmp_path, Fill(), BatchBudget(20), BatchStepCheckpoint(every_n_batches=5), limit_val_batches=0)
    with pytest.raises(ReenactError, match=r"last\.ckpt cannot be written \(No space left on device\): .* batch step 10;"):
        trainer.fit(make_module(), datamodule=make_data(track_folder))
    assert load(tmp_path, "last")["batch_step"] == 5
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]


class Signalled(ReenactModule):
    """Module that receives signals in the middle of its fourth batch."""

    signals: tuple[signal.Signals, ...] = ()

    def training_step(self, batch: Window, batch_idx: int) -> Any:
        for number in self.signals if self.batch_step == 3 else ():
            os.kill(os.getpid(), number)
        return super().training_step(batch, batch_idx)


def train_until_signals(track_folder: Path, folder: Path, *signals: signal.Signals) -> GracefulStop:
    module, stop = Signalled(**groups_of(TINY)), GracefulStop()
    module.signals = signals
    trainer = make_trainer(folder, stop, BatchBudget(20), BatchStepCheckpoint(every_n_batches=2), limit_val_batches=0)
    with pytest.raises(SystemExit):
        trainer.fit(module, datamodule=make_data(track_folder))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning leaves it switched off
    return stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_in_the_middle_of_a_batch_waits_for_its_end(track_folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    assert train_until_signals(track_folder, tmp_path, number).received == number
    assert load(tmp_path, "last")["batch_step"] == 4
    assert signal.getsignal(number) == before


def test_a_second_ctrl_c_does_not_wait(track_folder: Path, tmp_path: Path) -> None:
    """A batch that was cut off is not saved."""
    train_until_signals(track_folder, tmp_path, signal.SIGINT, signal.SIGINT)
    assert load(tmp_path, "last")["batch_step"] == 2


def test_nothing_is_saved_before_the_first_batch(track_folder: Path, tmp_path: Path) -> None:
    class Stop(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
            raise KeyboardInterrupt

    with pytest.raises(SystemExit):
        make_trainer(tmp_path, Stop(), BatchStepCheckpoint()).fit(make_module(), datamodule=make_data(track_folder))
    assert not (tmp_path / "checkpoints").exists()
