"""The frames of a working clip at one size: the first ones decoded once into a file, the others whenever they are wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.datamodules.cache_file import CacheFile, Images
from lit_reenact.video import FrameReader, resize_frames

CHUNK = 64
"""Frames decoded at once."""


class ClipFrames:
    """It may be handed to loader workers: the file and the clip are opened in each of them.

    Args:
        clip: the working clip.
        clip_sha256: of it.
        size: side of the frames in pixels.
        keep: how many frames, from the first on, are kept decoded.
    """

    def __init__(self, clip: Path, clip_sha256: str, size: int, keep: int) -> None:
        self.reader = FrameReader(clip)
        self.size = size
        self.keep = min(keep, len(self.reader))
        digest = hashlib.sha256(f"{clip_sha256} {size} {self.keep}".encode()).hexdigest()[:16]
        self.file = CacheFile(clip.parent, f"frames-{size}", digest, (self.keep, size, size, 3))

    def __len__(self) -> int:
        return len(self.reader)

    def ensure(self, progress: bool = True) -> None:
        """Decode the frames that are kept, in order, unless they are there.

        Raises:
            ReenactError: the clip cannot be decoded, or the file cannot be written.
        """
        if self.keep and not self.file.is_intact():
            with tqdm(total=self.keep, desc="decoded frames", unit="frame", disable=not progress) as bar:
                self.file.write(self._parts(bar.update))

    def read(self, frames: Tensor) -> Tensor:
        """Frames by number (N,): uint8 (N, size, size, 3). Fast where the numbers ascend."""
        kept = frames < self.keep
        if kept.all():
            return self.file.read(frames)
        images = torch.empty(len(frames), self.size, self.size, 3, dtype=torch.uint8)
        images[~kept] = self._decode(frames[~kept].tolist())
        if kept.any():
            images[kept] = self.file.read(frames[kept])
        return images

    def mean(self, frames: Tensor) -> Tensor:
        """The mean of some frames: float32 (3, size, size) in [-1, 1]."""
        total = torch.zeros(self.size, self.size, 3, dtype=torch.int64)
        for chunk in torch.split(frames, CHUNK):
            total += self.read(chunk).sum(0)
        return (total / (127.5 * len(frames)) - 1).float().permute(2, 0, 1)

    def _decode(self, numbers: list[int]) -> Tensor:
        return resize_frames(self.reader.read(numbers), self.size)

    def _parts(self, advance: Callable[[int], object]) -> Iterator[Images]:
        for start in range(0, self.keep, CHUNK):
            images = self._decode(list(range(start, min(start + CHUNK, self.keep))))
            yield images.numpy()
            advance(len(images))
