"""Videos of generated frames during a training: the held-out frames, and another person driving the target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import torch
from lightning.pytorch.loggers import WandbLogger
from torch import Tensor

from lit_reenact.callbacks.base import Callback, State, Trainer
from lit_reenact.core.schema import CONDITIONING, ConditioningImage, References, Track, Window, conditioning_channels
from lit_reenact.networks.blend_generator import BlendGenerator
from lit_reenact.provenance import Ingredient, Record, open_generated_video
from lit_reenact.synthesis import conditioning_picture, synthesise
from lit_reenact.synthesis.pixel_origin import origin_picture
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.module import ReenactModule
from lit_reenact.transfer import reenact
from lit_reenact.video.cuts import cuts_in


def comparison_rows(
    conditioning: Tensor, output: Tensor, target: Tensor, current: int, images: Sequence[ConditioningImage] = CONDITIONING
) -> Tensor:
    """Return pictures of conditioning, generated frame and real frame, left to right, one for each window of a batch.

    Args:
        conditioning: (B, N_w * 3 K, H, W) in [-1, 1], the conditioning images of windows of N_w frames.
        output: (B, 3, H, W) in [-1, 1], the generated frames.
        target: (B, 3, H, W) in [-1, 1], the real frames.
        current: index of the current frame in a window.
        images: names of the K conditioning images of a frame.

    Returns:
        uint8 (B, H, 3 W, 3).
    """
    current_images = torch.split(conditioning, conditioning_channels(images), dim=1)[current]
    parts = [conditioning_picture(current_images, images), output.permute(0, 2, 3, 1), target.permute(0, 2, 3, 1)]
    row = torch.cat(parts, dim=2)  # (B, H, 3 W, 3)
    return ((row + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


class ReenactmentVideo(Callback):
    """Callback that writes videos into ``videos/`` in the run folder after a validation and logs them to W&B.

    ``step-NNNNNN.mp4`` shows conditioning | output | target of the held-out frames (``val/reenactment`` in W&B), of a blend
    generator also the origin of the output's pixels (``origin_picture``). With a driver, ``step-NNNNNN-driven.mp4`` shows driving
    frame | conditioning | output (``val/driven``); of several actors, the first is the target.

    Example:
        >>> trainer = Trainer(callbacks=[ReenactmentVideo(max_frames=100, driver="outputs/tracks/ben")])
    """

    def __init__(self, every_n_validations: int = 1, max_frames: int = 100, driver: str | None = None) -> None:
        """
        Args:
            every_n_validations: validations from one video to the next; 1 writes one after each.
            max_frames: largest number of frames of a video.
            driver: folder that ``lit-reenact track`` wrote, of the source of the second video; None writes no second video.

        Raises:
            ReenactError: the driver's folder holds no track, or its track is damaged.
        """
        super().__init__()
        self.every_n_validations = every_n_validations
        self.max_frames = max_frames
        self.driver = TrackedClip.load(Path(driver)) if driver is not None else None
        self.validations = 0
        self.rows: list[Tensor] = []

    def setup(self, trainer: Trainer, pl_module: ReenactModule, stage: str) -> None:
        """
        Raises:
            ReenactError: driver and target were tracked with different face models.
        """
        if self.driver is not None and stage == "fit":
            reenact(self.driver.track, trainer.datamodule.track)

    def state_dict(self) -> State:
        return {"validations": self.validations}

    def load_state_dict(self, state_dict: State) -> None:
        self.validations = state_dict["validations"]

    def on_validation_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self.rows = []

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Tensor, batch: Window, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        missing = self.max_frames - sum(len(rows) for rows in self.rows)
        if missing > 0 and trainer.is_global_zero and self._is_due(trainer):
            conditioning, output, target = (images[:missing] for images in (batch.conditioning, outputs, batch.frame))
            generator = pl_module.generator
            row = comparison_rows(conditioning, output, target, generator.shape.current, generator.conditioning)
            if isinstance(generator, BlendGenerator):
                row = torch.cat([row, _origin_of(generator, batch, len(output))], dim=2)
            self.rows.append(row.cpu())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        self.validations += 1
        if not self.rows:
            return
        target = trainer.datamodule.track
        name, facts = f"step-{pl_module.batch_step:06d}", {"batch_step": str(pl_module.batch_step)}
        trained_on = Ingredient.of(target, "target")
        shown = "conditioning | output | target"
        shown += " | origin" if isinstance(pl_module.generator, BlendGenerator) else ""
        record = Record(shown, (trained_on,), settings=facts)
        _write_video(trainer, "val/reenactment", f"{name}.mp4", Fraction(target.info.fps), record, torch.cat(self.rows))
        if self.driver is not None:
            people = (trained_on, Ingredient.of(self.driver.track, "source"))
            record = Record("driving frame | conditioning | output", people, settings=facts)
            rows = self._driven_rows(pl_module, target, self.driver)
            _write_video(trainer, "val/driven", f"{name}-driven.mp4", self.driver.fps, record, rows)

    def _is_due(self, trainer: Trainer) -> bool:
        """Return whether the validation that is running ends with a video."""
        in_training = trainer.state.fn == "fit" and not trainer.sanity_checking
        return in_training and (self.validations + 1) % self.every_n_validations == 0

    def _driven_rows(self, module: ReenactModule, target: Track, driver: TrackedClip) -> Iterator[Tensor]:
        """Yield rows of driving frame | conditioning | output, uint8 (H, 3 W, 3)."""
        parameters = reenact(driver.track, target)[: self.max_frames]
        cuts = cuts_in(range(len(parameters)), driver.track.info.cuts)
        for numbers, frames, conditioning in synthesise(module.generator, target, parameters, cuts):
            driving = driver.read(numbers, module.generator.image_size)
            yield from torch.cat([driving, conditioning, frames], dim=2)


def _origin_of(generator: BlendGenerator, batch: Window, count: int) -> Tensor:
    """Return pictures of the origin of pixels in the first ``count`` frames of a batch, uint8 (count, H, W, 3)."""
    assert batch.references is not None
    images, *placed = batch.references
    references = References(images, *(values[:count] for values in placed))
    blend = generator.blend(batch.conditioning[:count], batch.base[:count], references, batch.actor[:count])
    return origin_picture(blend.shares)


def _write_video(trainer: Trainer, key: str, name: str, fps: Fraction, record: Record, rows: Iterable[Tensor]) -> None:
    """Write rows as a video, and log it to W&B if the run uses it."""
    path = Path(trainer.default_root_dir) / "videos" / name
    with open_generated_video(path, fps, record) as video:
        for row in rows:
            video.write(row)
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_video(key, [str(path)], step=trainer.lightning_module.batch_step, format=["mp4"])
