"""Schedule of the learning rate."""

from __future__ import annotations

import math
from typing import Literal, get_args

from lit_reenact.callbacks.base import Callback, Outputs, Trainer
from lit_reenact.callbacks.budget import budget_of
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Window
from lit_reenact.training.module import ReenactModule

Schedule = Literal["constant", "linear", "cosine"]


class LearningRateSchedule(Callback):
    """Callback that sets the learning rate of both networks before every batch and logs it as ``learning_rate``.

    The rate depends on the batch number and the budget alone, so that nothing needs to be saved. A larger budget for a finished
    run raises its learning rate again.

    Example:
        >>> trainer = Trainer(callbacks=[LearningRateSchedule("cosine", warm_up=100), BatchBudget(20_000)])
    """

    def __init__(self, kind: Schedule = "linear", warm_up: int = 0, hold: float = 0.5) -> None:
        """
        Args:
            kind: ``constant``, or constant and then down to 0, in a straight line (``linear``, as in pix2pix) or along a
                ``cosine``.
            warm_up: batches over which the rate rises to ``model.optimizer.learning_rate``.
            hold: share of the budget, in [0, 1], after which the rate begins to fall.

        Raises:
            ReenactError: an unknown kind, a negative warm-up, or a ``hold`` outside [0, 1].
        """
        super().__init__()
        if kind not in get_args(Schedule):
            raise ReenactError(f"schedule.kind is {kind!r}, but must be one of {get_args(Schedule)}")
        if warm_up < 0 or not 0 <= hold <= 1:
            raise ReenactError(f"schedule.warm_up is {warm_up} and schedule.hold {hold}, but must be at least 0 and in [0, 1]")
        self.kind = kind
        self.warm_up = warm_up
        self.hold = hold

    def factor(self, batch: int, budget: int) -> float:
        """Return the share of the module's learning rate, in [0, 1], in batch ``batch`` (counted from 0) of ``budget``."""
        rise = min(1.0, (batch + 1) / (self.warm_up + 1))
        start = self.hold * budget
        fallen = 0.0 if self.kind == "constant" or batch < start else min(1.0, (batch - start) / max(1.0, budget - start))
        return rise * ((1 + math.cos(math.pi * fallen)) / 2 if self.kind == "cosine" else 1 - fallen)

    def on_fit_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self.budget = budget_of(trainer)
        if self.budget is None and self.kind != "constant":
            raise ReenactError(
                f"schedule.kind is {self.kind!r}, which needs the callback BatchBudget to know when the training ends: add one"
            )

    def on_train_batch_start(self, trainer: Trainer, pl_module: ReenactModule, batch: Window, batch_idx: int) -> None:
        rate = pl_module.optimizer.learning_rate * self.factor(pl_module.batch_step, self.budget or 1)
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Outputs, batch: Window, batch_idx: int
    ) -> None:
        if pl_module.is_logged:
            pl_module.log("learning_rate", trainer.optimizers[0].param_groups[0]["lr"])
