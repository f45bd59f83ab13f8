"""Checkpoints: the last one to resume from, the best one to use."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Checkpoint

from lit_reenact.module import ReenactModule

LAST = "last.ckpt"
BEST = "best.ckpt"


class BatchStepCheckpoint(Checkpoint):
    """Writes ``checkpoints/last.ckpt`` and ``checkpoints/best.ckpt`` in the run folder, each by renaming a finished file.

    ``last`` is written every so many batches, at the end, and when the training is interrupted; ``best`` after a
    validation whose ``monitor`` is smaller than any before.

    (Lightning's ``ModelCheckpoint`` counts the steps of both optimizers.)
    """

    def __init__(self, every_n_batches: int = 500, monitor: str = "val/face_l1") -> None:
        """
        Args:
            every_n_batches: batches between two writings of ``last``.
            monitor: name of the logged value that chooses ``best``; smaller is better.
        """
        super().__init__()
        self.every_n_batches = every_n_batches
        self.monitor = monitor
        self.best: dict[str, float] = {"value": math.inf, "batch_step": 0}

    def setup(self, trainer: Trainer, pl_module: ReenactModule, stage: str) -> None:  # type: ignore[override]
        self.folder = Path(trainer.default_root_dir) / "checkpoints"

    def on_train_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:  # type: ignore[override]
        """Go by the best checkpoint that is there: it may be younger than the last one that was resumed from."""
        if (self.folder / BEST).is_file():
            best = torch.load(self.folder / BEST, map_location="cpu", weights_only=True, mmap=True)
            self.best = best["callbacks"][self.state_key]

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.batch_step % self.every_n_batches == 0:
            self._save(trainer, LAST)

    def on_validation_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:  # type: ignore[override]
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        value = float(trainer.callback_metrics[self.monitor])
        if value < self.best["value"]:
            self.best = {"value": value, "batch_step": pl_module.batch_step}
            self._save(trainer, BEST)

    def on_train_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:  # type: ignore[override]
        self._save(trainer, LAST)

    def on_exception(self, trainer: Trainer, pl_module: ReenactModule, exception: BaseException) -> None:  # type: ignore[override]
        if isinstance(exception, KeyboardInterrupt | SystemExit) and pl_module.batch_step:
            self._save(trainer, LAST)

    def state_dict(self) -> dict[str, Any]:
        return self.best

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict

    def _save(self, trainer: Trainer, name: str) -> None:
        """Every process takes part in gathering the state; the first one writes it."""
        partial = self.folder / f"{name}.part"
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            os.replace(partial, self.folder / name)
