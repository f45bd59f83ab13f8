"""A stopped training that resumes in another process sees the same windows as one without a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from lit_reenact.callbacks import BatchBudget, BatchStepCheckpoint
from lit_reenact.core.schema import Window
from lit_reenact.training.module import ReenactModule
from tests.factories import make_data, make_module, make_trainer


class Numbers(Callback):
    """Callback that records the trained windows, and may stop the training after a batch or in the middle of one."""

    def __init__(self, stop_after: int = -1, stop_within: int = -1) -> None:
        self.seen: list[list[int]] = []
        self.stop_after = stop_after
        self.stop_within = stop_within

    def on_train_batch_start(self, trainer: Trainer, pl_module: ReenactModule, batch: Window, batch_idx: int) -> None:  # type: ignore[override]
        if pl_module.batch_step + 1 == self.stop_within:
            raise KeyboardInterrupt

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Any, batch: Window, batch_idx: int
    ) -> None:
        self.seen.append(batch.number.tolist())
        if pl_module.batch_step == self.stop_after:
            raise KeyboardInterrupt


def train(track_folder: Path, folder: Path, workers: int, resume: bool = False, **stop: int) -> list[list[int]]:
    """Train 20 batches over two epochs of 15, with a validation after every fourth batch."""
    torch.manual_seed(int(resume))
    numbers = Numbers(**stop)
    callbacks = numbers, BatchBudget(20), BatchStepCheckpoint(every_n_batches=1000, monitor="batch_step")
    trainer = make_trainer(folder, *callbacks, val_check_interval=4, log_every_n_steps=1)
    data = make_data(track_folder, loading={"workers": workers, "run_length": 2}, balance=False)
    last = folder / "checkpoints" / "last.ckpt"
    try:
        trainer.fit(make_module(), datamodule=data, ckpt_path=last if resume else None, weights_only=True)
    except SystemExit:
        assert stop
    return numbers.seen


@pytest.fixture(scope="module")
def uninterrupted(track_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[int]]:
    seen = train(track_folder, tmp_path_factory.mktemp("whole"), workers=0)
    assert len(seen) == 20
    assert sorted(sum(seen[:15], [])) == list(range(60))  # noqa: RUF017
    return seen


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "stop",
    [{"stop_after": 5}, {"stop_after": 8}, {"stop_within": 6}, {"stop_after": 15}, {"stop_within": 16}, {"stop_after": 17}],
    ids=lambda stop: "-".join(f"{name}-{step}" for name, step in stop.items()),
)
def test_the_sequence_of_windows_is_that_of_an_uninterrupted_run(
    track_folder: Path, tmp_path: Path, uninterrupted: list[list[int]], workers: int, stop: dict[str, int]
) -> None:
    before = train(track_folder, tmp_path, workers, **stop)
    assert before == uninterrupted[: len(before)]
    assert len(before) == stop.get("stop_after", stop.get("stop_within", 0) - 1)
    assert before + train(track_folder, tmp_path, workers, resume=True) == uninterrupted


def test_a_second_interruption_changes_nothing(track_folder: Path, tmp_path: Path, uninterrupted: list[list[int]]) -> None:
    seen = train(track_folder, tmp_path, workers=0, stop_after=5)
    seen += train(track_folder, tmp_path, workers=0, resume=True, stop_within=9)
    seen += train(track_folder, tmp_path, workers=0, resume=True, stop_after=18)
    assert seen + train(track_folder, tmp_path, workers=0, resume=True) == uninterrupted
