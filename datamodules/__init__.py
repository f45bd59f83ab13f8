"""Tracks as batches of windows."""

import lit_reenact  # noqa: F401  (first: it makes `import lightning` work beside a torchvision without compiled operators)

from datamodules.track_datamodule import TrackDataModule

__all__ = ["TrackDataModule"]
