"""The windows of one part of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from lit_reenact.core.schema import FaceParameters, Runs
from lit_reenact.networks.windows import WindowShape
from lit_reenact.video.cuts import shots
from lit_reenact.video.optical_flow import optical_flow

ReadImages = Callable[[Tensor], Tensor | FaceParameters]
"""Frame numbers (N,) to the conditioning and region images of these frames, uint8 (N, 3 K + 1, H, W), or to what they are drawn
from."""


class ReadFrames(Protocol):
    """Gives frames of one size by their numbers."""

    @property
    def size(self) -> int: ...

    def read(self, frames: Tensor) -> Tensor:
        """Of numbers int64 (N,): uint8 (N, size, size, 3)."""


@dataclass(frozen=True)
class Part:
    """What a dataset shows of one clip.

    Attributes:
        images: gives the conditioning images of its frames.
        frames: gives the frames themselves.
        span: the frames of the part.
        valid: bool (T,), the frames of the clip in which a face is known.
        cuts: the first frame after every cut of the clip.
    """

    images: ReadImages
    frames: ReadFrames
    span: range
    valid: Tensor
    cuts: tuple[int, ...] = ()


class WindowDataset(Dataset[Runs]):
    """The windows of the same part of one or more clips, those of one clip after those of the other.

    A window reaches neither beyond its part nor over a cut: the first frame of the shot, or its last one, is repeated there. One
    that shows a frame without a face is left out.

    Args:
        parts: of each clip.
        shape: of the windows.
        flow: whether to say how the picture moved where windows follow each other in a batch.

    Attributes:
        actor: int64 (W,) the clip of each window.
        number: int64 (W,) its current frame.
        stretches: windows that follow each other frame by frame, as ranges of their positions.
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
        self._starts = starts[:-1]  # of each clip, were all frames of all clips counted through

    def __len__(self) -> int:
        return len(self.number)

    def __getitem__(self, position: int) -> Runs:
        """A batch of one window."""
        return self.__getitems__([position])

    def __getitems__(self, positions: list[int]) -> Runs:
        """A batch of windows: each conditioning image of a clip is read once."""
        at = torch.tensor(positions)
        actor, number = self.actor[at], self.number[at]
        shown = self.shape.frames(number, self._first[at], self._last[at]) + self._starts[actor, None]
        frames, rows = torch.unique(shown, return_inverse=True)  # ascending: the frames of a run stand side by side
        owner = torch.bucketize(frames, self._starts, right=True) - 1
        images = [self.parts[a].images(frames[owner == a] - self._starts[a]) for a in sorted(set(owner.tolist()))]
        real = self._frames(actor, number)
        return Runs(_joined(images), rows, real, number, actor, self._flow(real, at))

    def _frames(self, actor: Tensor, number: Tensor) -> Tensor:
        """uint8 (B, 3, H, W)."""
        size = self.parts[0].frames.size
        images = torch.empty(len(number), size, size, 3, dtype=torch.uint8)
        for a in set(actor.tolist()):
            images[actor == a] = self.parts[a].frames.read(number[actor == a])
        return images.permute(0, 3, 1, 2)

    def _flow(self, frames: Tensor, at: Tensor) -> Tensor:
        if not self.flow:
            return frames.new_empty(len(frames), 0, *frames.shape[2:], dtype=torch.float16)
        same_shot = (self.actor[at][1:] == self.actor[at][:-1]) & (self._first[at][1:] == self._first[at][:-1])
        next_frame = self.number[at][1:] == self.number[at][:-1] + 1
        return optical_flow(frames, torch.cat([torch.tensor([False]), same_shot & next_frame]))


def _windows(actor: int, part: Part, shape: WindowShape) -> Tensor:
    """The windows of a part, int64 (W, 4): actor, current frame, first and last frame of its shot within the part."""
    windows = [torch.empty(0, 4, dtype=torch.int64)]
    for start, stop in shots(part.cuts, len(part.valid)):
        first, last = max(start, part.span.start), min(stop, part.span.stop) - 1
        current = torch.arange(first, max(first, last + 1))
        current = current[part.valid[shape.frames(current, first, last)].all(1)]
        rows = torch.tensor([actor, 0, first, last]).repeat(len(current), 1)
        rows[:, 1] = current
        windows.append(rows)
    return torch.cat(windows)


def _joined(images: Sequence[Tensor | FaceParameters]) -> Tensor | FaceParameters:
    """One after the other, all of one kind."""
    first = images[0]
    if len(images) == 1:
        return first
    if isinstance(first, FaceParameters):
        return FaceParameters.concatenated([part for part in images if isinstance(part, FaceParameters)])
    return torch.cat([part for part in images if isinstance(part, Tensor)])
