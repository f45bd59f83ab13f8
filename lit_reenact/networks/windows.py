"""Frames of a window, and windows of conditioning images as the generator takes them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Placement = Literal["causal", "centred"]

BLOCK = 512
"""Number of pixels that a CPU stacks at a time: few enough for their channels in all images to stay in its cache."""


@dataclass(frozen=True)
class WindowShape:
    """Frames of a window around its current frame, the one to be synthesised.

    Attributes:
        length: number of frames in a window, N_w.
        placement: ``causal``: the current frame is the last (the paper); ``centred``: it is in the middle, in a window of even
            length the first of the second half.
        stride: step in frames of the clip from one frame of the window to the next.

    Raises:
        ValueError: ``length`` or ``stride`` is less than 1, or ``placement`` is unknown.
    """

    length: int = 11
    placement: Placement = "causal"
    stride: int = 1

    def __post_init__(self) -> None:
        if self.length < 1 or self.stride < 1:
            raise ValueError(f"a window of {self.length} frames with a stride of {self.stride}: both must be at least 1")
        if self.placement not in get_args(Placement):
            raise ValueError(f"placement is {self.placement!r}, but must be one of {get_args(Placement)}")

    @property
    def current(self) -> int:
        """Position of the current frame in the window, counted from 0."""
        return self.length - 1 if self.placement == "causal" else self.length // 2

    @property
    def before(self) -> int:
        """Number of frames of the clip before the current one that the window reaches back."""
        return self.current * self.stride

    @property
    def after(self) -> int:
        """Number of frames of the clip after the current one that the window reaches ahead; 0 if causal."""
        return (self.length - 1 - self.current) * self.stride

    @property
    def span(self) -> int:
        """Number of frames of the clip from the first to the last of the window."""
        return self.before + 1 + self.after

    def frames(self, current: Tensor, first: Tensor | int, last: Tensor | int) -> Tensor:
        """Return the frames of windows, oldest first: int64 (B, length).

        Args:
            current: int64 (B,) current frame of each window.
            first: first frame of the shot, int64 (B,) or one for all; it replaces every frame before it.
            last: last frame of the shot, int64 (B,) or one for all; it replaces every frame after it.
        """
        offsets = (torch.arange(self.length) - self.current) * self.stride
        first, last = (torch.as_tensor(edge).expand_as(current)[:, None] for edge in (first, last))
        return (current[:, None] + offsets).clamp(first, last)


class WindowMemory:
    """Memory for stacked windows on a CPU, used again once no tensor refers to it.

    Getting new memory from the system for every batch takes longer than writing the windows into it.
    """

    def __init__(self) -> None:
        self._memory: npt.NDArray[np.float32] | None = None

    def __call__(self, *shape: int) -> Tensor:
        """Return an uninitialised float32 tensor."""
        if self._memory is None or self._memory.shape != shape or sys.getrefcount(self._memory) > 2:  # a tensor is a third
            self._memory = np.empty(shape, np.float32)
        return torch.from_numpy(self._memory)

    def __getstate__(self) -> dict[str, Any]:
        return {"_memory": None}


def to_signed(images: Tensor) -> Tensor:
    """Turn uint8 images (B, C, H, W) in [0, 255] into float32 in [-1, 1], in the memory layout of the networks."""
    return images.to(torch.float32, memory_format=torch.channels_last).div_(127.5).sub_(1)


def stack_windows(images: Tensor, shown: Tensor, memory: WindowMemory) -> Tensor:
    """Stack the conditioning images of each window.

    Args:
        images: uint8 (U, C, H, W).
        shown: int64 (B, N_w) indices of the images of each window, oldest first.
        memory: memory for windows on a CPU.

    Returns:
        float32 (B, N_w * C, H, W) in [-1, 1], channels last in memory.
    """
    if images.device.type == "cpu":
        return _stack_in_blocks(images, shown, memory)
    return to_signed(images[shown].flatten(1, 2))


def _stack_in_blocks(images: Tensor, shown: Tensor, memory: WindowMemory) -> Tensor:
    """Stack a few pixels of all images at a time: each is converted once, and pixels that are copied often stay in the cache."""
    height, width = images.shape[2:]
    pixels = images.permute(2, 3, 0, 1).flatten(0, 1)  # (H * W, U, C)
    rows = [_evenly_spaced(row) for row in shown.tolist()]
    windows = memory(len(shown), height * width, shown.shape[1], images.shape[1])
    for start in range(0, height * width, BLOCK):
        block = slice(start, start + BLOCK)
        values = pixels[block].to(torch.float32, memory_format=torch.contiguous_format).div_(127.5).sub_(1)
        for window, row in zip(windows, rows, strict=True):
            window[block] = values[:, row]
    return windows.view(len(shown), height, width, -1).permute(0, 3, 1, 2)


def _evenly_spaced(row: list[int]) -> slice | list[int]:
    """Return row numbers as a slice, which is read faster, if they are evenly spaced."""
    step = row[1] - row[0] if len(row) > 1 else 1
    return slice(row[0], row[-1] + 1, step) if step > 0 and row == list(range(row[0], row[-1] + 1, step)) else row
