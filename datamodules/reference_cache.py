"""Reference maps of a track: computed once into a cache file beside it, or for every batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.core.schema import FaceParameters, ReferenceMaps, Track
from lit_reenact.datamodules.cache_file import CacheFile, Images
from lit_reenact.datamodules.conditioning_cache import scene_digest
from lit_reenact.rendering.reference_maps import ReferenceWarp

CHUNK = 16
"""Frames mapped at once."""

CHANNELS = 6
"""Flow and validity of a reference."""

ReadMaps = Callable[[Tensor], Tensor]
"""Function from frame numbers (N,) to packed reference maps (``pack_maps``)."""


def pack_maps(maps: ReferenceMaps) -> Tensor:
    """Return flow and validity side by side: float16 (N, K, 6, s, s)."""
    return torch.cat([maps.flow, maps.validity], 2).half()


def unpack_maps(packed: Tensor) -> ReferenceMaps:
    """Return the maps of ``pack_maps``."""
    return ReferenceMaps(packed[:, :, :2], packed[:, :, 2:])


def reference_cache(track: Track, folder: Path, numbers: Tensor, size: int, prefix: str = "references") -> CacheFile:
    """Return the cache file for the reference maps of a track, float16 (T, K, 6, size, size) as bytes.

    Args:
        track: track whose frames are mapped.
        folder: folder of the file.
        numbers: int64 (K,) numbers of the key frames.
        size: side of the maps in pixels.
        prefix: beginning of the file's name.
    """
    digest = scene_digest(track, f"references {numbers.tolist()} {size}")
    return CacheFile(folder, f"{prefix}-{len(numbers)}-{size}", digest, (len(track), len(numbers), CHANNELS, size, 2 * size))


def ensure_maps(file: CacheFile, warp: ReferenceWarp, parameters: FaceParameters, progress: bool = True) -> None:
    """Write the maps of all frames into a cache file, unless it is intact.

    Args:
        file: cache file from ``reference_cache``.
        warp: warp from the actor's key frames.
        parameters: parameters of all frames of the track.
        progress: whether to show a progress bar.

    Raises:
        ReenactError: the file cannot be written.
    """
    if file.is_intact():
        return
    with tqdm(total=len(parameters), desc="reference maps", unit="frame", disable=not progress) as bar:
        file.write(_parts(warp, parameters, bar.update))


def _parts(warp: ReferenceWarp, parameters: FaceParameters, advance: Callable[[int], object]) -> Iterator[Images]:
    for start in range(0, len(parameters), CHUNK):
        maps = pack_maps(warp(parameters[start : start + CHUNK]))
        yield maps.contiguous().view(torch.uint8).numpy()
        advance(len(maps))


class CachedMaps:
    """Reference maps of a track, read from their cache file."""

    def __init__(self, file: CacheFile) -> None:
        self.file = file

    def __call__(self, frames: Tensor) -> Tensor:
        """Return the packed maps of frames int64 (N,)."""
        return self.file.read(frames).view(torch.float16)


class ComputedMaps:
    """Reference maps of a track, computed on demand."""

    def __init__(self, warp: ReferenceWarp, parameters: FaceParameters) -> None:
        self.warp = warp
        self.parameters = parameters

    def __call__(self, frames: Tensor) -> Tensor:
        """Return the packed maps of frames int64 (N,)."""
        return pack_maps(self.warp(self.parameters[frames]))


class AppendedMaps:
    """Reference maps of a clip, followed by those of its variations from number ``border`` on."""

    def __init__(self, own: ReadMaps, others: ReadMaps, border: int) -> None:
        self.own, self.others, self.border = own, others, border

    def __call__(self, frames: Tensor) -> Tensor:
        """Return the packed maps of frames int64 (N,), in any order."""
        own = frames < self.border
        parts = [
            read(numbers)
            for read, numbers in ((self.own, frames[own]), (self.others, frames[~own] - self.border))
            if len(numbers)
        ]
        order = torch.cat([own.nonzero()[:, 0], (~own).nonzero()[:, 0]])
        return torch.cat(parts)[order.argsort()]
