"""Which checkpoints exist, of which batch, and that a resumed training goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from callbacks import BatchBudget, BatchStepCheckpoint, ExponentialMovingAverage
from lit_reenact.module import ReenactModule
from tests.factories import make_data, make_module, make_trainer


class Scores(Callback):
    """Logs a scripted error at each validation."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:  # type: ignore[override]
        pl_module.log("val/face_l1", self.scores.pop(0))


class Steps(Callback):
    """Keeps the batch steps that were trained, and may stop the training like a user."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self.seen: list[int] = []
        self.interrupt_at = interrupt_at

    def on_train_batch_end(self, trainer: Trainer, pl_module: ReenactModule, *_: Any) -> None:  # type: ignore[override]
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
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_last_is_written_every_so_many_batches(track_folder: Path, tmp_path: Path) -> None:
    written = []

    class Spy(Callback):
        def on_save_checkpoint(self, trainer: Trainer, pl_module: ReenactModule, checkpoint: dict[str, Any]) -> None:  # type: ignore[override]
            written.append(pl_module.batch_step)

    trainer = make_trainer(tmp_path, Spy(), BatchBudget(12), BatchStepCheckpoint(every_n_batches=5), limit_val_batches=0)
    trainer.fit(make_module(), datamodule=make_data(track_folder))
    assert written == [5, 10, 12]


def test_best_is_the_validation_with_the_smallest_error(track_folder: Path, tmp_path: Path) -> None:
    callbacks = Scores(9.0, 5.0, 7.0), BatchBudget(9), BatchStepCheckpoint()
    make_trainer(tmp_path, *callbacks, val_check_interval=3).fit(make_module(), datamodule=make_data(track_folder))
    assert load(tmp_path, "best")["batch_step"] == 6


def test_a_resumed_run_only_takes_a_better_best(track_folder: Path, tmp_path: Path) -> None:
    """Also when the best checkpoint is younger than the one resumed from."""
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


def test_an_interrupted_run_is_saved_and_goes_on_at_the_next_batch(track_folder: Path, tmp_path: Path) -> None:
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


def test_nothing_is_saved_before_the_first_batch(track_folder: Path, tmp_path: Path) -> None:
    class Stop(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:  # type: ignore[override]
            raise KeyboardInterrupt

    with pytest.raises(SystemExit):
        make_trainer(tmp_path, Stop(), BatchStepCheckpoint()).fit(make_module(), datamodule=make_data(track_folder))
    assert not (tmp_path / "checkpoints").exists()
