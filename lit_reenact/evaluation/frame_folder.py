"""Another system's frames, read from a folder of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from lit_reenact.core.errors import ReenactError

SUFFIXES = (".png", ".jpg", ".jpeg")


def read_frame_folder(folder: Path, count: int, largest: int, described: str) -> Tensor:
    """Read the pictures of a folder in the order of their names, uint8 (count, S, S, 3).

    Args:
        folder: folder of PNG or JPEG files; other files in it are ignored.
        count: number of pictures that the folder must hold.
        largest: largest allowed side of a picture in pixels.
        described: the wanted frames in words, for messages, e.g. "frames 480 to 600 of a.mp4".

    Raises:
        ReenactError: the folder does not exist or holds another number of pictures, or a picture cannot be read, is not square,
            is larger than ``largest``, or differs in size from the first one.
    """
    if not folder.is_dir():
        raise ReenactError(f"{folder}: no such folder; --frames takes a folder of PNG or JPEG pictures")
    paths = pictures_in(folder)
    if not paths:
        raise ReenactError(f"{folder} holds no PNG or JPEG picture: put there one for each of {described}")
    if len(paths) != count:
        raise ReenactError(f"{folder} holds {len(paths)} pictures, but there must be {count}, one for each of {described}")
    frames = [_read(path) for path in paths]
    for path, frame in zip(paths, frames, strict=True):
        height, width = frame.shape[:2]
        if height != width or height > largest:
            raise ReenactError(
                f"{path} is {width}x{height}: frames must be square and of {largest} pixels or less, as the clip is"
            )
        if frame.shape != frames[0].shape:
            raise ReenactError(f"{path} is {width}x{height}, but {paths[0].name} is not: give all frames one size")
    return torch.stack(frames)


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _read(path: Path) -> Tensor:
    try:
        with Image.open(path) as picture:
            return torch.from_numpy(np.array(picture.convert("RGB")))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise ReenactError(f"{path} cannot be read as a picture: write it again as PNG") from error
