"""Random access to the frames of a working clip by decord."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.video.info import VideoInfo, probe

SEEK_INTERVAL = 32
"""Frames after which decord is stopped in decoding ahead: beside a slow reader it would hold a whole clip in memory."""


class FrameReader:
    """Random access to the frames of a working clip, which has a constant rate and a short GOP.

    decord is opened at the first read in each process, so a reader may be pickled and handed to forked or spawned workers.

    Args:
        path: the clip; ``info`` describes it.

    Raises:
        ReenactError: the file cannot be read (see ``probe``).

    Example:
        >>> reader = FrameReader(Path("track/clip.mp4"))
        >>> reader[:16].shape  # uint8 RGB
        torch.Size([16, 256, 256, 3])
    """

    def __init__(self, path: Path) -> None:
        self.info = probe(path)
        self._frames_since_seek = 0

    def __len__(self) -> int:
        return self.info.frame_count

    def __getitem__(self, frames: slice | Sequence[int]) -> Tensor:
        return self.read(range(len(self))[frames] if isinstance(frames, slice) else frames)

    def read(self, indices: Sequence[int]) -> Tensor:
        """Read frames by number: uint8 (len(indices), H, W, 3) RGB. Fast where the numbers ascend.

        Raises:
            IndexError: a number lies outside [0, len).
            ReenactError: decord is missing, or cannot read this file frame-exactly.
        """
        wanted = [int(index) for index in indices]
        if wanted and not (min(wanted) >= 0 and max(wanted) < len(self)):
            raise IndexError(f"frames {min(wanted)} to {max(wanted)} of {self.info.path}, which has {len(self)}")
        if not wanted:
            return torch.empty(0, self.info.height, self.info.width, 3, dtype=torch.uint8)
        if self not in _OPEN:
            _OPEN[self] = _open_decord(self.info)
        frames = torch.from_numpy(_OPEN[self].get_batch(wanted).asnumpy())
        self._frames_since_seek += len(wanted)
        if self._frames_since_seek >= SEEK_INTERVAL:
            _OPEN[self].seek(0)  # drops the frames that were decoded ahead
            self._frames_since_seek = 0
        return frames


_OPEN: WeakKeyDictionary[FrameReader, Any] = WeakKeyDictionary()
_INHERITED: list[Any] = []


def _keep_inherited() -> None:
    """Keep the parent's decord handles for ever in a forked child: closing them would wait for threads that are not here."""
    _INHERITED.extend(_OPEN.values())
    _OPEN.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_inherited)


def _open_decord(info: VideoInfo) -> Any:
    try:
        import decord
    except ImportError as error:
        raise ReenactError(
            "decord, which reads the frames of working clips, is not installed: run `make install`, or on a Mac with an ARM "
            "processor, for which decord has no package, use a Linux machine or container"
        ) from error
    try:
        reader = decord.VideoReader(str(info.path), num_threads=1)
    except (RuntimeError, decord.DECORDError) as error:
        raise ReenactError(f"{info.path} cannot be read by decord: make this clip again with `lit-reenact track`") from error
    if len(reader) != info.frame_count:
        raise ReenactError(
            f"{info.path} is not a working clip: decord counts {len(reader)} frames in it and PyAV {info.frame_count}, "
            "so frames could be mistaken for others; make a clip of it with `lit-reenact track`"
        )
    return reader
