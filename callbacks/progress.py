"""The progress bar of a training."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from lit_reenact.callbacks.budget import budget_of
from lit_reenact.training.module import ReenactModule


class BatchProgressBar(TQDMProgressBar):
    """Lightning's bar, over the batches of the whole training instead of one epoch."""

    def __init__(self, refresh_rate: int = 5) -> None:
        """
        Args:
            refresh_rate: batches between two updates.
        """
        super().__init__(refresh_rate)

    def on_train_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:  # type: ignore[override]
        super().on_train_start()
        bar = self.train_progress_bar
        bar.set_description("batch step")
        bar.total = budget_of(trainer)
        bar.n = bar.initial = pl_module.batch_step

    def get_metrics(self, trainer: Trainer, pl_module: ReenactModule) -> dict[str, Any]:  # type: ignore[override]
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}

    def on_train_epoch_start(self, *_: Any) -> None:
        """The bar goes on."""

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        bar = self.train_progress_bar
        if self._should_update(pl_module.batch_step, int(bar.total or 0)):
            bar.n = pl_module.batch_step
            bar.set_postfix(self.get_metrics(trainer, pl_module))
