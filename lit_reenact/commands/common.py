"""What several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object


def device_of(name: str) -> str:
    """The device that ``--device`` names; ``auto`` is a GPU if there is one."""
    import torch

    return name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def is_track(path: Path) -> bool:
    """Whether a path is a track, not a video."""
    return path.is_dir() or path.suffix == ".safetensors"


def track_folder(path: Path, tracks: Path) -> Path:
    """The folder of a track that is named by its folder, its file, or the video to be tracked first."""
    from lit_reenact.tracking.tracker import TrackerSettings, track_video

    if is_track(path):
        return path if path.is_dir() else path.parent
    folder = tracks / path.stem
    track_video(path, folder, TrackerSettings())
    return folder
