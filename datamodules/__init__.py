"""Tracks as batches of windows."""

from lit_reenact.datamodules.track_datamodule import TrackDataModule

__all__ = ["TrackDataModule"]
