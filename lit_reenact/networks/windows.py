"""Which frames a window shows, and windows of conditioning images as the generator takes them."""

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
"""Pixels that a CPU stacks at a time: few enough for their channels in all images to stay in its cache."""


@dataclass(frozen=True)
class WindowShape:
    """The frames of a window about its current frame, the one to be synthesised.

    Attributes:
        length: frames in a window, N_w.
        placement: ``causal``: the current frame is the last (the paper); ``centred``: it is in the middle, and of an even length
            the first of the second half.
        stride: every so many frames of the clip are shown.
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
        """Where in the window its current frame is, counted from 0."""
        return self.length - 1 if self.placement == "causal" else self.length // 2

    @property
    def before(self) -> int:
        """How many frames of the clip the window reaches back."""
        return self.current * self.stride

    @property
    def after(self) -> int:
        """How many frames of the clip it reaches ahead; 0 if causal."""
        return (self.length - 1 - self.current) * self.stride

    @property
    def span(self) -> int:
        """How many frames of the clip it reaches over in all."""
        return self.before + 1 + self.after

    def frames(self, current: Tensor, first: Tensor | int, last: Tensor | int) -> Tensor:
        """The frames that windows show, oldest first: int64 (B, length).

        Args:
            current: int64 (B,) their current frames.
            first: frame of the shot, int64 (B,) or one for all; it stands in for every frame before it.
            last: frame of the shot, the same; it stands in for every frame after it.
        """
        offsets = (torch.arange(self.length) - self.current) * self.stride
        first, last = (torch.as_tensor(edge).expand_as(current)[:, None] for edge in (first, last))
        return (current[:, None] + offsets).clamp(first, last)


class WindowMemory:
    """Memory for stacked windows on a CPU, used again as soon as nobody holds the windows in it.

    To get as much new memory from the system for every batch takes longer than to write the windows into it.
    """

    def __init__(self) -> None:
        self._memory: npt.NDArray[np.float32] | None = None

    def __call__(self, *shape: int) -> Tensor:
        """An uninitialised float32 tensor."""
        if self._memory is None or self._memory.shape != shape or sys.getrefcount(self._memory) > 2:  # a tensor on it is a third
            self._memory = np.empty(shape, np.float32)
        return torch.from_numpy(self._memory)

    def __getstate__(self) -> dict[str, Any]:
        return {"_memory": None}


def to_signed(images: Tensor) -> Tensor:
    """uint8 in [0, 255] to float32 in [-1, 1], in the memory layout that the networks want."""
    return images.to(torch.float32, memory_format=torch.channels_last).div_(127.5).sub_(1)


def stack_windows(images: Tensor, shown: Tensor, memory: WindowMemory) -> Tensor:
    """Stack the conditioning images of each window.

    Args:
        images: uint8 (U, C, H, W).
        shown: int64 (B, N_w) the images of each window, oldest first.
        memory: for the windows, if they are on a CPU.

    Returns:
        float32 (B, N_w * C, H, W) in [-1, 1], channels last in memory.
    """
    if images.device.type == "cpu":
        return _stack_in_blocks(images, shown, memory)
    return to_signed(images[shown].flatten(1, 2))


def _stack_in_blocks(images: Tensor, shown: Tensor, memory: WindowMemory) -> Tensor:
    """A few pixels of all images at a time: each image is converted once, and what is copied often stays in the cache."""
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
    """Row numbers as a slice, which is read faster, if they are one."""
    step = row[1] - row[0] if len(row) > 1 else 1
    return slice(row[0], row[-1] + 1, step) if step > 0 and row == list(range(row[0], row[-1] + 1, step)) else row
