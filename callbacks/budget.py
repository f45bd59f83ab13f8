"""Number of batches after which a training ends."""

from __future__ import annotations

from lit_reenact.callbacks.base import Callback, Outputs, Trainer, callbacks_of
from lit_reenact.core.schema import Window
from lit_reenact.training.module import ReenactModule


def budget_of(trainer: Trainer) -> int | None:
    """Return the number of batches after which the training ends; None without a ``BatchBudget``."""
    return next((budget.max_batch_steps for budget in callbacks_of(trainer, BatchBudget)), None)


class BatchBudget(Callback):
    """Callback that ends a training after a number of batches, counted over all epochs and resumes, with a last validation.

    It stands in for Lightning's ``max_steps``, whose optimizer steps are no unit of schedules or logs here.

    Example:
        >>> trainer = Trainer(max_epochs=-1, callbacks=[BatchBudget(max_batch_steps=20_000)])
    """

    def __init__(self, max_batch_steps: int = 10_000) -> None:
        """
        Args:
            max_batch_steps: batches to train on in all.
        """
        super().__init__()
        self.max_batch_steps = max_batch_steps

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Outputs, batch: Window, batch_idx: int
    ) -> None:
        if pl_module.batch_step >= self.max_batch_steps:
            trainer.should_stop = True
