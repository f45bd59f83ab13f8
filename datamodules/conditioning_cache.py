"""Conditioning and region images of a track: rendered once into a cache file, or on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

import lit_reenact
from lit_reenact.core.schema import ConditioningImage, FaceParameters, FrameImages, Track, conditioning_channels
from lit_reenact.datamodules.cache_file import CacheFile, Images
from lit_reenact.rendering.renderer import Renderer

CHUNK = 16
"""Frames rendered at once."""


def cache_channels(conditioning: Sequence[ConditioningImage]) -> int:
    """Return the number of channels of a cached frame: its conditioning images, then its region image."""
    return conditioning_channels(conditioning) + 1


@cache
def renderer_version() -> str:
    """Return a digest of the source files that conditioning images depend on: a version number that cannot be forgotten."""
    package = Path(lit_reenact.__file__).parent
    sources = [
        *(package / "core" / name for name in ("facemesh.py", "geometry.py")),
        *sorted(package.glob("face/*.py")),
        *sorted(package.glob("rendering/**/*.py")),
        Path(__file__),
    ]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def conditioning_cache(
    track: Track, folder: Path, size: int, conditioning: Sequence[ConditioningImage], prefix: str = "conditioning"
) -> CacheFile:
    """Return the cache file for the images of a track, uint8 (T, size, size, cache_channels), the networks' memory layout.

    Its name begins with ``prefix`` and changes with everything that the images depend on. A file of other conditioning images is
    not replaced, since another training may be using it.
    """
    images = "-".join(conditioning)
    digest = scene_digest(track, f"{size} {images}")
    shape = (len(track), size, size, cache_channels(conditioning))
    return CacheFile(folder, f"{prefix}-{images}-{size}", digest, shape)


def scene_digest(track: Track, extra: str) -> str:
    """Return a digest, 16 hexadecimal digits, of everything that rendered images of a track depend on.

    Args:
        track: track with the parameters, actor, camera and face model.
        extra: further settings that the images depend on.
    """
    digest = hashlib.sha256(repr((track.camera, track.info.face_model_hash, extra, renderer_version())).encode())
    for part in (track.parameters, track.actor):
        for field in fields(part):
            values = getattr(part, field.name)
            digest.update(f"{field.name}{tuple(values.shape)}{values.dtype}".encode())
            digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def ensure_cache(file: CacheFile, renderer: Renderer, parameters: FaceParameters, progress: bool = True) -> None:
    """Render the images of all frames into a cache file, unless it is intact.

    Args:
        file: cache file from ``conditioning_cache``.
        renderer: renderer for the track's actor, with the size and the images of the file.
        parameters: parameters of all frames of the track.
        progress: whether to show a progress bar.

    Raises:
        ReenactError: the file cannot be written.
    """
    if file.is_intact():
        return
    with tqdm(total=len(parameters), desc="conditioning images", unit="frame", disable=not progress) as bar:
        file.write(_parts(renderer, parameters, bar.update))


def _parts(renderer: Renderer, parameters: FaceParameters, advance: Callable[[int], object]) -> Iterator[Images]:
    for start in range(0, len(parameters), CHUNK):
        images = renderer.draw(parameters[start : start + CHUNK])
        yield images.permute(0, 2, 3, 1).cpu().numpy()
        advance(len(images))


class CachedImages:
    """Conditioning and region images of a track, read from their cache file."""

    def __init__(self, file: CacheFile) -> None:
        self.file = file

    def __call__(self, frames: Tensor) -> FrameImages:
        """Return the images of frames int64 (N,)."""
        return FrameImages(self.file.read(frames).permute(0, 3, 1, 2))


class DrawnImages:
    """Conditioning and region images of a track, rendered on demand."""

    def __init__(self, renderer: Renderer, parameters: FaceParameters) -> None:
        self.renderer = renderer
        self.parameters = parameters

    def __call__(self, frames: Tensor) -> FrameImages:
        """Return the images of frames int64 (N,)."""
        return FrameImages(self.renderer.draw(self.parameters[frames]))
