"""Warnings about a GAN that is out of balance, and refusal of weights that are not finite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torch.nn.utils import get_total_norm

from lit_reenact.callbacks.base import Callback, State, Trainer
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Window
from lit_reenact.training.module import ReenactModule
from lit_reenact.training.run_folder import RunFolder

STRONG = 0.98
"""Accuracy on patches from which a discriminator counts as too strong; guessing has 0.5."""

COLLAPSED = 0.05
"""Variance of generated frames over that of real ones, below which a generator counts as collapsed. Training starts at the mean
frame, which has 0."""


class TrainingHealth(Callback):
    """Callback that logs the balance of the GAN, warns when a network fails, and refuses to save weights that are not finite.

    The logged values come from the outputs of ``training_step``:

    * ``health/logit_real``, ``health/logit_fake``: mean logits of real and of generated frames;
    * ``health/discriminator_accuracy``: share of patches that the discriminator classifies correctly;
    * ``health/variation``: variance of the generated frames of a batch over that of the real ones.

    Weights that are not finite end the training with a ``ReenactError``, at the latest before a checkpoint is written, so that
    the checkpoint on disk stays intact. (The module itself logs the gradient norms, as ``gradient/NETWORK``.)

    Example:
        >>> trainer = Trainer(callbacks=[TrainingHealth(patience=30)])
    """

    def __init__(self, patience: int = 30) -> None:
        """
        Args:
            patience: number of bad values in a row, out of those logged, that lead to a warning.
        """
        super().__init__()
        self.patience = patience
        self._bad_in_a_row = {"accuracy": 0, "variation": 0}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Mapping[str, Tensor], batch: Window, batch_idx: int
    ) -> None:
        if not pl_module.is_logged:
            return
        _refuse_broken(trainer, pl_module, pl_module.state_dict())
        if "logits_real" in outputs:
            self._watch_discriminator(pl_module, outputs["logits_real"], outputs["logits_fake"])
        if "fake" in outputs:
            self._watch_generator(pl_module, outputs["fake"], outputs["real"])

    def state_dict(self) -> State:
        return dict(self._bad_in_a_row)

    def load_state_dict(self, state_dict: State) -> None:
        self._bad_in_a_row |= state_dict

    def on_save_checkpoint(self, trainer: Trainer, pl_module: ReenactModule, checkpoint: State) -> None:
        average = {f"generator_ema.{name}": value for name, value in checkpoint.get("generator_ema", {}).items()}
        _refuse_broken(trainer, pl_module, checkpoint["state_dict"] | average)

    def _watch_discriminator(self, module: ReenactModule, real: Tensor, fake: Tensor) -> None:
        accuracy = float(((real > 0).float().mean() + (fake < 0).float().mean()) / 2)
        values = {"logit_real": float(real.mean()), "logit_fake": float(fake.mean()), "discriminator_accuracy": accuracy}
        module.log_dict({f"health/{name}": value for name, value in values.items()})
        if self._is_lasting("accuracy", accuracy >= STRONG):
            rank_zero_warn(
                f"batch step {module.batch_step}: {self.patience} times in a row the discriminator classified {STRONG:.0%} or "
                "more of all patches correctly, so the generator learns little from it: try model.losses.r1=1, "
                "model.discriminator.norm=spectral, or fewer model.discriminator.channels"
            )

    def _watch_generator(self, module: ReenactModule, fake: Tensor, real: Tensor) -> None:
        if len(real) == 1:
            return
        variation = float(_variance(fake) / _variance(real).clamp_min(1e-8))
        module.log("health/variation", variation)
        if self._is_lasting("variation", variation < COLLAPSED):
            rank_zero_warn(
                f"batch step {module.batch_step}: {self.patience} times in a row the generated frames of a batch were almost the "
                "same, whatever the conditioning showed: try a larger model.losses.l1, a smaller model.losses.adversarial, or "
                "another model.optimizer.learning_rate"
            )

    def _is_lasting(self, name: str, bad: bool) -> bool:
        """Count a value as good or bad, and return whether it has just been bad ``patience`` times in a row."""
        self._bad_in_a_row[name] = self._bad_in_a_row[name] + 1 if bad else 0
        return self._bad_in_a_row[name] == self.patience


def _variance(frames: Tensor) -> Tensor:
    """Return the variance over the frames of a batch (B, 3, H, W), as a mean over pixels and channels."""
    return frames.float().var(0).mean()


def _refuse_broken(trainer: Trainer, module: ReenactModule, state: Mapping[str, Tensor]) -> None:
    numbers = {name: value for name, value in state.items() if value.is_floating_point()}
    if get_total_norm(list(numbers.values())).isfinite():
        return
    name = next((name for name, value in numbers.items() if not value.isfinite().all()), "the norm of all weights")
    last = RunFolder(Path(trainer.default_root_dir)).last
    saved = f"{last} is intact: start from it with --init_from and another --name" if last.is_file() else "nothing was saved"
    raise ReenactError(
        f"{name} is not finite after batch step {module.batch_step}, so training has stopped; {saved}; choose a lower "
        "model.optimizer.learning_rate, or model.optimizer.clip_norm=1"
    )
