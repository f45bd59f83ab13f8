"""Progress bar of a training."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import TQDMProgressBar

from lit_reenact.callbacks.base import Trainer
from lit_reenact.callbacks.budget import budget_of


class BatchProgressBar(TQDMProgressBar):
    """Lightning's progress bar, over the batches of the whole training instead of one epoch."""

    trainer: Trainer

    def __init__(self, refresh_rate: int = 5) -> None:
        """
        Args:
            refresh_rate: batches between two updates.
        """
        super().__init__(refresh_rate)

    def on_train_start(self, *_: Any) -> None:
        super().on_train_start()
        bar = self.train_progress_bar
        bar.set_description("batch step")
        bar.total = budget_of(self.trainer)
        bar.n = bar.initial = self.trainer.lightning_module.batch_step

    def get_metrics(self, *arguments: Any) -> dict[str, int | str | float | dict[str, float]]:
        return {name: value for name, value in super().get_metrics(*arguments).items() if name != "v_num"}

    def on_train_epoch_start(self, *_: Any) -> None:
        """Keep the bar running across epochs."""

    def on_train_batch_end(self, *_: Any) -> None:
        bar, module = self.train_progress_bar, self.trainer.lightning_module
        if self._should_update(module.batch_step, int(bar.total or 0)):
            bar.n = module.batch_step
            bar.set_postfix(self.get_metrics(self.trainer, module))
