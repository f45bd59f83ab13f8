"""Data module that turns tracked clips into batches of windows."""

from lit_reenact.datamodules.track_datamodule import TrackDataModule

__all__ = ["TrackDataModule"]
