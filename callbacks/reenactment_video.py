"""A look at the held-out frames: conditioning | output | target as a video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import WandbLogger
from torch import Tensor

from lit_reenact.module import ReenactModule
from lit_reenact.provenance import ai_generated_tags
from lit_reenact.schema import CONDITIONING_CHANNELS, Window
from lit_reenact.video import VideoWriter


def side_by_side(conditioning: Tensor, output: Tensor, target: Tensor, current: int) -> Tensor:
    """The diffuse face of each window's current frame, the generated and the real frame, left to right.

    Args:
        conditioning: (B, N_w * 9, H, W) in [-1, 1].
        output: (B, 3, H, W) in [-1, 1].
        target: (B, 3, H, W) in [-1, 1].
        current: place of the current frame in a window.

    Returns:
        uint8 (B, H, 3 W, 3).
    """
    images = conditioning[:, CONDITIONING_CHANNELS * current : CONDITIONING_CHANNELS * (current + 1)]
    face = torch.maximum(images[:, 0:3], images[:, 6:9])  # the eyes are black in the diffuse image
    row = torch.cat([face, output, target], dim=3)  # (B, 3, H, 3 W)
    return ((row + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


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
            self.rows.append(side_by_side(conditioning, output, target, pl_module.generator.shape.current).cpu())

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
