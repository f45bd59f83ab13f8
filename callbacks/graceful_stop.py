"""A training that is told to stop finishes its batch first."""

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
"""What ``sbatch --signal=SIGUSR1@90`` sends before a job's time is over."""


class StopRequestedError(KeyboardInterrupt):
    """All processes stop here, between the same two batches."""


class GracefulStop(Callback):
    """Turns Ctrl-C, SIGTERM and SIGUSR1 into a ``KeyboardInterrupt`` between two batches, at the same place in all processes.

    A signal in the middle of a batch would leave networks and optimizers of which a part has taken the step and a part has not;
    it only leaves a note. A second Ctrl-C does not wait.

    Attributes:
        received: the signal that stops the training, or 0.
    """

    def __init__(self) -> None:
        super().__init__()
        self.received = 0

    def listen(self, *signals: signal.Signals) -> None:
        """From now on these signals leave a note."""
        if threading.current_thread() is threading.main_thread():  # no other may set a handler
            for number in signals:
                signal.signal(number, self._note)

    def on_train_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        """Lightning brings back the handlers that were there before, when it ends."""
        self.listen(signal.SIGINT, signal.SIGTERM, TIME_IS_UP)

    def on_train_batch_start(self, trainer: Trainer, pl_module: ReenactModule, batch: Window, batch_idx: int) -> None:
        if trainer.world_size > 1:
            received = torch.tensor(self.received, device=pl_module.device)
            distributed.all_reduce(received, op=distributed.ReduceOp.MAX)
            self.received = int(received)
        if self.received:
            raise StopRequestedError

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == self.received == signal.SIGINT:
            signal.default_int_handler(number, frame)
        if number == signal.SIGINT:
            _promise()
        self.received = max(self.received, number)


@rank_zero_only
def _promise() -> None:
    """Past Python's own buffer, which the signal may have caught half written."""
    os.write(2, b"\nStopping after this batch, or this validation. Ctrl-C again stops at once.\n")
