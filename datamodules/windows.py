"""Dataset of the windows of one part of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from lit_reenact.core.schema import FaceParameters, FrameImages, Runs
from lit_reenact.datamodules.reference_cache import ReadMaps
from lit_reenact.networks.windows import WindowShape
from lit_reenact.video.cuts import shots
from lit_reenact.video.optical_flow import optical_flow

ReadImages = Callable[[Tensor], FrameImages | FaceParameters]
"""Function from frame numbers (N,) to the images of the frames, or to the parameters that they are rendered from."""


class ReadFrames(Protocol):
    """Source of frames of one size, by number."""

    @property
    def size(self) -> int: ...

    def read(self, frames: Tensor) -> Tensor:
        """Return the frames with numbers int64 (N,): uint8 (N, size, size, 3)."""


@dataclass(frozen=True)
class Part:
    """Part of one clip for a dataset.

    Attributes:
        images: source of the conditioning images.
        frames: source of the real frames.
        span: numbers of the part's frames.
        valid: bool (T,), the frames of the clip that show a face.
        cuts: first frame after every cut of the clip.
        maps: source of the reference maps; None without reference frames.
        near: bool (T, K), key frames that a frame of the part may not be shown; None without reference frames.
    """

    images: ReadImages
    frames: ReadFrames
    span: range
    valid: Tensor
    cuts: tuple[int, ...] = ()
    maps: ReadMaps | None = None
    near: Tensor | None = None


class WindowDataset(Dataset[Runs]):
    """Windows of one part (such as training) of one or more clips, in order.

    A window reaches neither beyond its part nor across a cut: the first or last frame of the shot is repeated there. Windows
    that show a frame without a face are left out.

    Args:
        parts: part of each clip.
        shape: number and placement of a window's frames.
        flow: whether to compute the optical flow between windows that follow each other in a batch.

    Attributes:
        actor: int64 (W,) clip of each window.
        number: int64 (W,) current frame of each window.
        stretches: windows that follow each other frame by frame, as ranges of their positions.

    Example:
        >>> dataset = WindowDataset([part], WindowShape(length=11))
        >>> runs = dataset.__getitems__([0, 1, 2])
    """

    def __init__(self, parts: Sequence[Part], shape: WindowShape, flow: bool = False) -> None:
        self.parts = parts
        self.shape = shape
        self.flow = flow
        windows = torch.cat([_windows(actor, part, shape) for actor, part in enumerate(parts)])
        self.actor, self.number, self._first, self._last = windows.unbind(1)
        follows = (windows[1:, 1] == windows[:-1, 1] + 1) & (windows[1:, [0, 2]] == windows[:-1, [0, 2]]).all(1)
        borders = [0, *((~follows).nonzero()[:, 0] + 1).tolist(), len(windows)]
        self.stretches = [range(start, stop) for start, stop in pairwise(borders) if start < stop]
        starts = torch.tensor([0] + [len(part.valid) for part in parts]).cumsum(0)
        self._starts = starts[:-1]  # number of each clip's first frame, where frames are numbered across all clips

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, position: int) -> Runs:
        """Return a batch of one window."""
        return self.__getitems__([position])

    def __getitems__(self, positions: list[int]) -> Runs:
        """Return a batch of windows, for which each conditioning image of a clip is read once."""
        at = torch.tensor(positions)
        actor, number = self.actor[at], self.number[at]
        shown = self.shape.frames(number, self._first[at], self._last[at]) + self._starts[actor, None]
        frames, rows = torch.unique(shown, return_inverse=True)  # ascending: the frames of a run stand side by side
        owner = torch.bucketize(frames, self._starts, right=True) - 1
        images = [self.parts[a].images(frames[owner == a] - self._starts[a]) for a in sorted(set(owner.tolist()))]
        real = self._frames(actor, number)
        maps, near = self._references(actor, number)
        return Runs(_concatenate(images), rows, real, number, actor, self._flow(real, at), maps, near)

    def _frames(self, actor: Tensor, number: Tensor) -> Tensor:
        """Return the real frames, uint8 (B, 3, H, W)."""
        size = self.parts[0].frames.size
        images = torch.empty(len(number), size, size, 3, dtype=torch.uint8)
        for a in set(actor.tolist()):
            images[actor == a] = self.parts[a].frames.read(number[actor == a])
        return images.permute(0, 3, 1, 2)

    def _references(self, actor: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        """Return packed reference maps, and which references are too near; without references both are (B, 0)."""
        maps, near = number.new_empty(len(number), 0, dtype=torch.float16), number.new_empty(len(number), 0, dtype=torch.bool)
        for a in set(actor.tolist()):
            part, own = self.parts[a], actor == a
            if part.maps is None or part.near is None:
                continue
            values, close = part.maps(number[own]), part.near[number[own]]
            if not near.shape[1]:
                maps, near = (one.new_empty(len(number), *one.shape[1:]) for one in (values, close))
            maps[own], near[own] = values, close
        return maps, near

    def _flow(self, frames: Tensor, at: Tensor) -> Tensor:
        if not self.flow:
            return frames.new_empty(len(frames), 0, *frames.shape[2:], dtype=torch.float16)
        same_shot = (self.actor[at][1:] == self.actor[at][:-1]) & (self._first[at][1:] == self._first[at][:-1])
        next_frame = self.number[at][1:] == self.number[at][:-1] + 1
        return optical_flow(frames, torch.cat([torch.tensor([False]), same_shot & next_frame]))


def _windows(actor: int, part: Part, shape: WindowShape) -> Tensor:
    """Return the windows of a part, int64 (W, 4): actor, current frame, first and last frame of its shot within the part."""
    windows = [torch.empty(0, 4, dtype=torch.int64)]
    for start, stop in shots(part.cuts, len(part.valid)):
        first, last = max(start, part.span.start), min(stop, part.span.stop) - 1
        current = torch.arange(first, max(first, last + 1))
        current = current[part.valid[shape.frames(current, first, last)].all(1)]
        rows = torch.tensor([actor, 0, first, last]).repeat(len(current), 1)
        rows[:, 1] = current
        windows.append(rows)
    return torch.cat(windows)


def _concatenate(images: Sequence[FrameImages | FaceParameters]) -> FrameImages | FaceParameters:
    """Concatenate images, or parameters, of several clips."""
    first = images[0]
    if len(images) == 1:
        return first
    if isinstance(first, FaceParameters):
        return FaceParameters.concatenate([part for part in images if isinstance(part, FaceParameters)])
    return FrameImages(torch.cat([part.channels for part in images if isinstance(part, FrameImages)]))
