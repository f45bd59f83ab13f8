"""Lightning's ``Callback``, ``Checkpoint`` and ``Trainer``, typed for a ``ReenactModule``.

Lightning types its hooks for every ``LightningModule``. Type checkers see here the hooks that this project's callbacks override,
for its own module and batches; at run time these are Lightning's classes and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    import lightning.pytorch

    from lit_reenact.core.schema import Window
    from lit_reenact.datamodules import TrackDataModule
    from lit_reenact.training.module import ReenactModule

    class Trainer(lightning.pytorch.Trainer):
        callbacks: list[Callback]
        datamodule: TrackDataModule
        lightning_module: ReenactModule

    class Callback:
        state_key: str

        def setup(self, trainer: Trainer, pl_module: ReenactModule, stage: str) -> None: ...
        def on_fit_start(self, trainer: Trainer, pl_module: ReenactModule) -> None: ...
        def on_fit_end(self, trainer: Trainer, pl_module: ReenactModule) -> None: ...
        def on_train_start(self, trainer: Trainer, pl_module: ReenactModule) -> None: ...
        def on_train_end(self, trainer: Trainer, pl_module: ReenactModule) -> None: ...
        def on_train_batch_start(self, trainer: Trainer, pl_module: ReenactModule, batch: Window, batch_idx: int) -> None: ...
        def on_train_batch_end(
            self, trainer: Trainer, pl_module: ReenactModule, outputs: Outputs, batch: Window, batch_idx: int
        ) -> None: ...
        def on_validation_start(self, trainer: Trainer, pl_module: ReenactModule) -> None: ...
        def on_validation_batch_end(
            self,
            trainer: Trainer,
            pl_module: ReenactModule,
            outputs: Outputs,
            batch: Window,
            batch_idx: int,
            dataloader_idx: int = 0,
        ) -> None: ...
        def on_validation_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None: ...
        def on_validation_end(self, trainer: Trainer, pl_module: ReenactModule) -> None: ...
        def on_test_start(self, trainer: Trainer, pl_module: ReenactModule) -> None: ...
        def on_test_batch_end(
            self,
            trainer: Trainer,
            pl_module: ReenactModule,
            outputs: Outputs,
            batch: Window,
            batch_idx: int,
            dataloader_idx: int = 0,
        ) -> None: ...
        def on_test_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None: ...
        def on_test_end(self, trainer: Trainer, pl_module: ReenactModule) -> None: ...
        def on_exception(self, trainer: Trainer, pl_module: ReenactModule, exception: BaseException) -> None: ...
        def on_save_checkpoint(self, trainer: Trainer, pl_module: ReenactModule, checkpoint: State) -> None: ...
        def on_load_checkpoint(self, trainer: Trainer, pl_module: ReenactModule, checkpoint: State) -> None: ...
        def state_dict(self) -> State: ...
        def load_state_dict(self, state_dict: State) -> None: ...

    class Checkpoint(Callback): ...

else:
    from lightning.pytorch import Callback, Trainer
    from lightning.pytorch.callbacks import Checkpoint

__all__ = ["Callback", "Checkpoint", "Outputs", "State", "Trainer", "callbacks_of"]

Outputs: TypeAlias = Any
"""Return value of a training, validation or test step."""

State: TypeAlias = dict[str, Any]
"""Checkpoint, or the state of one callback in it."""

Kind = TypeVar("Kind", bound=Callback)


def callbacks_of(trainer: Trainer, kind: type[Kind]) -> list[Kind]:
    """Return the trainer's callbacks of one class."""
    return [callback for callback in trainer.callbacks if isinstance(callback, kind)]
