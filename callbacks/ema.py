"""Exponential moving average of the generator's weights, which is validated, tested and shipped."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.callbacks.base import Callback, Outputs, State, Trainer
from lit_reenact.core.schema import Window
from lit_reenact.training.module import ReenactModule


class ExponentialMovingAverage(Callback):
    """Callback that averages the generator's weights and floating-point buffers after every batch.

    After ``n`` batches the average keeps ``min(decay, (1 + n) / (10 + n))`` of itself, so that the random start does not hold a
    short run back. Validation and test run on the average. Checkpoints hold it as ``checkpoint["generator_ema"]``, a
    ``state_dict`` of the generator.

    Example:
        >>> trainer = Trainer(callbacks=[ExponentialMovingAverage(decay=0.999)])
    """

    def __init__(self, decay: float = 0.999) -> None:
        """
        Args:
            decay: share of itself that the average keeps in each batch after the first few; in [0, 1).
        """
        super().__init__()
        self.decay = decay
        self.average: dict[str, Tensor] | None = None
        self.training_weights: dict[str, Tensor] | None = None  # while the average replaces them

    def on_fit_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        start = self.average or pl_module.generator.state_dict()
        self.average = {name: value.to(pl_module.device, copy=True) for name, value in start.items()}

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Outputs, batch: Window, batch_idx: int
    ) -> None:
        assert self.average is not None
        keep = min(self.decay, (1 + pl_module.batch_step) / (10 + pl_module.batch_step))
        now = pl_module.generator.state_dict()
        floats = [name for name, value in now.items() if value.is_floating_point()]
        for name in now.keys() - floats:
            self.average[name].copy_(now[name])
        # One call for all tensors: on a GPU this takes a few kernels instead of one for each tensor.
        torch._foreach_lerp_([self.average[name] for name in floats], [now[name] for name in floats], 1 - keep)

    def on_validation_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._use_average(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._restore_trained(pl_module)

    def on_test_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._use_average(pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._restore_trained(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: ReenactModule, exception: BaseException) -> None:
        """Restore the training weights after an interrupted validation, so that the checkpoint to resume from holds them."""
        self._restore_trained(pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: ReenactModule, checkpoint: State) -> None:
        if self.average is not None:
            checkpoint["generator_ema"] = self.average

    def on_load_checkpoint(self, trainer: Trainer, pl_module: ReenactModule, checkpoint: State) -> None:
        self.average = checkpoint.get("generator_ema")

    def _use_average(self, module: ReenactModule) -> None:
        if self.average is not None:
            self.training_weights = {name: value.clone() for name, value in module.generator.state_dict().items()}
            module.generator.load_state_dict(self.average)

    def _restore_trained(self, module: ReenactModule) -> None:
        if self.training_weights is not None:
            module.generator.load_state_dict(self.training_weights)
            self.training_weights = None
