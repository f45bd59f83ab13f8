"""Windows of conditioning images with the real frame that belongs to the last of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lit_reenact.schema import CONDITIONING_CHANNELS, Window
from lit_reenact.video import FrameReader, resize_frames

KEEP_BYTES = 256 * 2**20
"""How much memory a process may spend on decoded frames: 5,000 frames of 128 pixels or 1,300 of 256."""


def window_indices(index: int, start: int, window: int) -> list[int]:
    """The frames of the window that ends at ``index``, oldest first; ``start`` stands in for every frame before it."""
    return [max(start, frame) for frame in range(index - window + 1, index + 1)]


def crosses(window: list[int], cuts: tuple[int, ...]) -> bool:
    """Whether a window, oldest frame first, reaches over a cut; a cut is the first frame after it."""
    return any(window[0] < cut <= window[-1] for cut in cuts)


class ClipFrames:
    """The frames of a working clip at one size; each is decoded once, as long as the decoded ones fit into ``keep_bytes``.

    It may be handed to loader workers: ``FrameReader`` opens the clip in each of them.
    """

    def __init__(self, clip: Path, size: int, keep_bytes: int = KEEP_BYTES) -> None:
        self.reader = FrameReader(clip)
        self.size = size
        self.keep = keep_bytes // (3 * size * size)
        self.kept: dict[int, Tensor] = {}

    def __getitem__(self, index: int) -> Tensor:
        """Frame ``index``: uint8 (3, size, size)."""
        frame = self.kept.get(index)
        if frame is None:
            frame = resize_frames(self.reader.read([index]), self.size)[0].permute(2, 0, 1).contiguous()
            if len(self.kept) < self.keep:
                self.kept[index] = frame
        return frame

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "kept": {}}


class WindowDataset(Dataset[Window]):
    """The windows of one part of a clip: those that end in the part, hold no frame without a face and reach over no cut.

    No window reaches beyond the start of its part: the first frame is repeated there.
    """

    def __init__(
        self, conditioning: Path, frames: ClipFrames, part: range, valid: Tensor, window: int, cuts: tuple[int, ...] = ()
    ) -> None:
        """
        Args:
            conditioning: ``.npy`` file that ``ensure_cache`` made of the clip, uint8 (T, CACHE_CHANNELS, S, S).
            frames: the clip.
            part: the frames of the part.
            valid: bool (T,), the frames in which a face is known.
            window: frames in a window.
            cuts: the first frame after every cut of the clip.
        """
        self.conditioning = conditioning
        self.frames = frames
        self.part = part
        self.window = window
        windows = {index: window_indices(index, part.start, window) for index in part}
        self.indices = [index for index, shown in windows.items() if valid[shown].all() and not crosses(shown, cuts)]
        self._images: np.ndarray[Any, Any] | None = None  # a memory map, opened in the process that reads

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, item: int) -> Window:
        """The ``item``-th window, uint8 and without the batch axis."""
        index = self.indices[item]
        if self._images is None:
            self._images = np.load(self.conditioning, mmap_mode="r")
        images = self._images[window_indices(index, self.part.start, self.window), :CONDITIONING_CHANNELS]  # copied
        return Window(
            conditioning=torch.from_numpy(images).flatten(0, 1),  # (N_w * 9, S, S)
            frame=self.frames[index],
            region=torch.from_numpy(self._images[index, CONDITIONING_CHANNELS].copy()),
            number=torch.tensor(index),
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_images": None}
