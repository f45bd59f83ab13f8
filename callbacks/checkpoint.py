"""Checkpoints of a training: the last one to resume from, the best one to use."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Literal

import torch
from torch import distributed

from lit_reenact.callbacks.base import Checkpoint, State, Trainer
from lit_reenact.callbacks.graceful_stop import StopRequestedError
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Window
from lit_reenact.training.module import ReenactModule
from lit_reenact.training.random_state import random_state, set_random_state
from lit_reenact.training.run_folder import is_whole

LAST = "last.ckpt"
PREVIOUS = "previous.ckpt"
BEST = "best.ckpt"

Monitor = Literal["val/face_l1", "val/lpips"]
"""Logged values that can choose the best checkpoint; smaller is better."""


class BatchStepCheckpoint(Checkpoint):
    """Callback that writes ``checkpoints/last.ckpt`` and ``checkpoints/best.ckpt`` in the run folder.

    Each file is renamed when it is finished. ``last`` is written every ``every_n_batches`` batches, at the end, and when a
    signal stops the training; the checkpoint before it stays as ``previous``. ``best`` is written after a validation whose
    ``monitor`` is smaller than any before.

    ``last`` is written between two batches: the log row of the first is on disk, and a validation that was due is over. It also
    holds the random states of all processes, so a resumed training gives bit for bit the numbers of one that never stopped.

    (Lightning's ``ModelCheckpoint`` counts optimizer steps, and saves before the row is logged.)

    Example:
        >>> trainer = Trainer(callbacks=[FrameMetrics(), BatchStepCheckpoint(every_n_batches=100)])
    """

    def __init__(self, every_n_batches: int = 500, monitor: Monitor = "val/face_l1") -> None:
        """
        Args:
            every_n_batches: batches between two checkpoints ``last``.
            monitor: logged value that chooses ``best``.
        """
        super().__init__()
        self.every_n_batches = every_n_batches
        self.monitor = monitor
        self.best: dict[str, float] = {"value": math.inf, "batch_step": 0}
        self.saved_step = 0  # batch step of ``last``
        self.random_states: list[dict[str, Any]] = []  # one for each process, until they are restored

    def setup(self, trainer: Trainer, pl_module: ReenactModule, stage: str) -> None:
        self.folder = Path(trainer.default_root_dir) / "checkpoints"

    def on_train_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        """Compare with the best checkpoint on disk: it may be newer than the checkpoint that the training resumes from."""
        self.saved_step = pl_module.batch_step
        if (self.folder / BEST).is_file() and is_whole(self.folder / BEST):
            best = torch.load(self.folder / BEST, map_location="cpu", weights_only=True, mmap=True)
            self.best = best["callbacks"][self.state_key]

    def on_train_batch_start(self, trainer: Trainer, pl_module: ReenactModule, batch: Window, batch_idx: int) -> None:
        trainer.fit_loop.epoch_loop._batches_that_stepped = pl_module.batch_step  # Lightning logs by this count
        if trainer.global_rank < len(self.random_states):
            set_random_state(self.random_states[trainer.global_rank], pl_module.device)
        self.random_states = []
        if pl_module.batch_step % self.every_n_batches == 0:
            self._save_last(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        value = float(trainer.callback_metrics[self.monitor])
        if value < self.best["value"]:
            self.best = {"value": value, "batch_step": pl_module.batch_step}
            self._save(trainer, pl_module, BEST)

    def on_train_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._save_last(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: ReenactModule, exception: BaseException) -> None:
        """Save after an interruption between two batches; a batch or validation that was cut off is run again on resume."""
        is_in_step = trainer.world_size == 1 or isinstance(exception, StopRequestedError)
        batches: Any = trainer.fit_loop.epoch_loop.batch_progress.current
        is_between_batches = trainer.training and batches.started == batches.processed
        if isinstance(exception, KeyboardInterrupt | SystemExit) and is_in_step and is_between_batches:
            self._save_last(trainer, pl_module)

    def state_dict(self) -> State:
        return self.best

    def load_state_dict(self, state_dict: State) -> None:
        self.best = state_dict

    def on_save_checkpoint(self, trainer: Trainer, pl_module: ReenactModule, checkpoint: State) -> None:
        state = random_state(pl_module.device)
        states = [state] * trainer.world_size
        if trainer.world_size > 1:
            distributed.all_gather_object(states, state)
        checkpoint["random_states"] = states

    def on_load_checkpoint(self, trainer: Trainer, pl_module: ReenactModule, checkpoint: State) -> None:
        self.random_states = checkpoint.get("random_states", [])
        checkpoint["loops"]["fit_loop"] = _between_batches(checkpoint["loops"]["fit_loop"], checkpoint["batch_step"])

    def _save_last(self, trainer: Trainer, module: ReenactModule) -> None:
        if self.saved_step != module.batch_step:
            for logger in trainer.loggers:
                logger.save()
            self._save(trainer, module, LAST)
            self.saved_step = module.batch_step

    def _save(self, trainer: Trainer, module: ReenactModule, name: str) -> None:
        """Gather the state of all processes; the first process writes it.

        Raises:
            ReenactError: the file cannot be written. Every process raises it, so that none waits for another.
        """
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        reason = self._write(checkpoint, name) if trainer.is_global_zero else None
        reason = trainer.strategy.broadcast(reason)
        if reason is not None:
            raise ReenactError(
                f"{self.folder / name} cannot be written ({reason}): training stopped at batch step {module.batch_step}; free "
                "some disk space and run the same command again: it resumes from the previous checkpoint, which is intact"
            )

    def _write(self, checkpoint: State, name: str) -> str | None:
        """Write a checkpoint under a temporary name, then rename it.

        Returns:
            None, or the reason of a failure; the files on disk are then unchanged.
        """
        # One fixed temporary name: a checkpoint is large, and what a killed process left behind is overwritten.
        path, partial = self.folder / name, self.folder / f"{name}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            partial.unlink(missing_ok=True)
            return error.strerror or str(error)
        if name == LAST and path.is_file():
            os.replace(path, self.folder / PREVIOUS)
        os.replace(partial, path)
        return None


def _between_batches(loops: dict[str, Any], batch_step: int) -> dict[str, Any]:
    """Return the state with which Lightning's loops continue between two batches in the middle of an epoch.

    The loader skips the batches of the epoch that are done, so that the loops see what is left of it as a whole epoch.
    """
    loaders = loops["state_dict"].get("combined_loader")
    if not loaders:
        return loops
    epoch = loaders[0]["epoch"]
    batches = dict.fromkeys(("ready", "started", "processed", "completed"), batch_step)
    epochs = {"ready": epoch + 1, "started": epoch + 1, "processed": epoch, "completed": epoch}
    optimizer = "epoch_loop.manual_optimization.optim_step_progress"
    return {
        "state_dict": loops["state_dict"],
        "epoch_progress": {"total": epochs, "current": epochs},
        "epoch_loop.batch_progress": {"total": batches, "current": dict.fromkeys(batches, 0), "is_last_batch": False},
        optimizer: loops[optimizer],
    }
