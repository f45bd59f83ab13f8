"""A look at the held-out frames: conditioning | output | target as a video."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import WandbLogger
from torch import Tensor

from lit_reenact.module import ReenactModule
from lit_reenact.provenance import ai_generated_tags
from lit_reenact.reenactment import conditioning_picture
from lit_reenact.schema import CONDITIONING, ConditioningImage, Window, conditioning_channels
from lit_reenact.video import VideoWriter


def side_by_side(
    conditioning: Tensor, output: Tensor, target: Tensor, current: int, images: Sequence[ConditioningImage] = CONDITIONING
) -> Tensor:
    """The conditioning of each window's current frame as a picture, the generated and the real frame, left to right.

    Args:
        conditioning: (B, N_w * 3 K, H, W) in [-1, 1].
        output: (B, 3, H, W) in [-1, 1].
        target: (B, 3, H, W) in [-1, 1].
        current: place of the current frame in a window.
        images: names of the K conditioning images of a frame.

    Returns:
        uint8 (B, H, 3 W, 3).
    """
    shown = torch.split(conditioning, conditioning_channels(images), dim=1)[current]
    parts = [conditioning_picture(shown, images), output.permute(0, 2, 3, 1), target.permute(0, 2, 3, 1)]
    row = torch.cat(parts, dim=2)  # (B, H, 3 W, 3)
    return ((row + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


class ReenactmentVideo(Callback):
    """Writes ``videos/step-NNNNNN.mp4`` in the run folder after a validation, and hands its path to W&B if that is used."""

    def __init__(self, every_n_validations: int = 1, max_frames: int = 100) -> None:
        """
        Args:
            every_n_validations: 2 skips every other one.
            max_frames: length of the video in frames.
        """
        super().__init__()
        self.every_n_validations = every_n_validations
        self.max_frames = max_frames
        self.validations = 0
        self.rows: list[Tensor] = []

    def on_validation_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:  # type: ignore[override]
        self.rows = []

    def on_validation_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Tensor, batch: Window, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        wanted = self.max_frames - sum(len(rows) for rows in self.rows)
        if wanted > 0 and trainer.is_global_zero:
            conditioning, output, target = (images[:wanted] for images in (batch.conditioning, outputs, batch.frame))
            generator = pl_module.generator
            row = side_by_side(conditioning, output, target, generator.shape.current, generator.conditioning)
            self.rows.append(row.cpu())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:  # type: ignore[override]
        self.validations += 1
        if trainer.state.fn != "fit" or trainer.sanity_checking or not self.rows or self.validations % self.every_n_validations:
            return
        path = Path(trainer.default_root_dir) / "videos" / f"step-{pl_module.batch_step:06d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        info = trainer.datamodule.track.info  # type: ignore[attr-defined]
        facts = {"source_sha256": info.source_sha256, "batch_step": str(pl_module.batch_step)}
        with VideoWriter(path, Fraction(info.fps), tags=ai_generated_tags("conditioning | output | target", **facts)) as video:
            for row in torch.cat(self.rows):
                video.write(row)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_video("val/reenactment", [str(path)], step=pl_module.batch_step, format=["mp4"])
