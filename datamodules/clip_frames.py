"""Frames of a working clip at one size: the first ones decoded once into a cache file, the others on demand."""

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
    """Resized frames of a working clip, by number. Each loader worker opens the cache file and the clip itself.

    Args:
        clip: file of the working clip.
        clip_sha256: SHA-256 of the clip, which the name of the cache file depends on.
        size: side of the frames, pixels.
        keep: number of frames, from the first on, that the cache file holds.
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
        """Write the cache file, unless it is intact.

        Raises:
            ReenactError: the clip cannot be decoded, or the file cannot be written.
        """
        if self.keep and not self.file.is_intact():
            with tqdm(total=self.keep, desc="decoded frames", unit="frame", disable=not progress) as bar:
                self.file.write(self._parts(bar.update))

    def read(self, frames: Tensor) -> Tensor:
        """Return the frames with numbers int64 (N,): uint8 (N, size, size, 3). Ascending numbers are read fastest."""
        cached = frames < self.keep
        if cached.all():
            return self.file.read(frames)
        images = torch.empty(len(frames), self.size, self.size, 3, dtype=torch.uint8)
        images[~cached] = self._decode(frames[~cached].tolist())
        if cached.any():
            images[cached] = self.file.read(frames[cached])
        return images

    def mean(self, frames: Tensor) -> Tensor:
        """Return the mean of the frames with numbers int64 (N,): float32 (3, size, size) in [-1, 1]."""
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
