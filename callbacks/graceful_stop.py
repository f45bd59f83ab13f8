"""Signals that stop a training after its current batch."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import distributed

from lit_reenact.callbacks.base import Callback, Trainer
from lit_reenact.core.schema import Window
from lit_reenact.training.module import ReenactModule

TIME_IS_UP = signal.SIGUSR1
"""Signal that ``sbatch --signal=SIGUSR1@90`` sends 90 seconds before a job's time is up."""


class StopRequestedError(KeyboardInterrupt):
    """Stop of all processes between the same two batches."""


class GracefulStop(Callback):
    """Callback that turns Ctrl-C, SIGTERM and SIGUSR1 into a ``KeyboardInterrupt`` between two batches.

    All processes stop between the same two batches. An interrupt in the middle of a batch would leave networks and optimizers
    with half a step taken, so a signal is only recorded. A second Ctrl-C stops at once.

    Attributes:
        received: number of the signal that stops the training, or 0.

    Example:
        >>> trainer = Trainer(callbacks=[GracefulStop(), BatchStepCheckpoint()])
    """

    def __init__(self) -> None:
        super().__init__()
        self.received = 0

    def listen(self, *signals: signal.Signals) -> None:
        """Record these signals from now on instead of stopping at once."""
        if threading.current_thread() is threading.main_thread():  # Python lets no other thread set a handler
            for number in signals:
                signal.signal(number, self._record)

    def on_train_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        """Set the signal handlers; Lightning restores the earlier ones at the end of the training."""
        self.listen(signal.SIGINT, signal.SIGTERM, TIME_IS_UP)

    def on_train_batch_start(self, trainer: Trainer, pl_module: ReenactModule, batch: Window, batch_idx: int) -> None:
        if trainer.world_size > 1:
            received = torch.tensor(self.received, device=pl_module.device)
            distributed.all_reduce(received, op=distributed.ReduceOp.MAX)
            self.received = int(received)
        if self.received:
            raise StopRequestedError

    def _record(self, number: int, frame: FrameType | None) -> None:
        if number == self.received == signal.SIGINT:
            signal.default_int_handler(number, frame)
        if number == signal.SIGINT:
            _announce()
        self.received = max(self.received, number)


@rank_zero_only
def _announce() -> None:
    """Write to the terminal without Python's buffer, which the signal may have interrupted."""
    os.write(2, b"\nStopping after this batch, or this validation. Ctrl-C again stops at once.\n")
