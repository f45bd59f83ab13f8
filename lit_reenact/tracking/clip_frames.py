"""Frames of a working clip in chunks, and the frames that repeat the picture before them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.core.parallel import prefetch
from lit_reenact.video import FrameReader

_CHUNK = 32  # frames


class Chunk(NamedTuple):
    """Frames that are held in memory at once.

    Attributes:
        numbers: int64 (T,) numbers of the frames in the clip.
        frames: uint8 (T, H, W, 3).
    """

    numbers: Tensor
    frames: Tensor


def read_in_chunks(reader: FrameReader, numbers: Tensor, progress: str | None = None) -> Iterator[Chunk]:
    """Read the frames with these numbers.

    Args:
        reader: frames of the clip.
        numbers: int64 (T,) numbers of the frames.
        progress: label of the progress bar; None shows none.
    """
    with tqdm(total=len(numbers), desc=progress, unit="frame", disable=progress is None) as bar:
        for some in torch.split(numbers, _CHUNK):
            yield Chunk(some, reader.read(some.tolist()))
            bar.update(len(some))


def find_held_frames(reader: FrameReader, difference: float) -> Tensor:
    """Find the frames that repeat the picture before them: bool (T,).

    Args:
        reader: frames of the clip.
        difference: mean difference over the pixels, in grey levels of 255, below which two frames are the same picture.
    """
    steps, last = [], None
    for chunk in prefetch(read_in_chunks(reader, torch.arange(len(reader)))):
        grey = chunk.frames[:, ::2, ::2].float().mean(-1)
        run = grey if last is None else torch.cat([last, grey])
        steps.append((run[1:] - run[:-1]).abs().mean((1, 2)))
        last = grey[-1:]
    return torch.cat([torch.tensor([False]), torch.cat(steps) < difference])
