"""The conditioning images of a track and its region images: drawn when they are wanted, or once for all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

import lit_reenact
from lit_reenact.core.schema import ConditioningImage, FaceParameters, Track, conditioning_channels
from lit_reenact.datamodules.cache_file import CacheFile, Images
from lit_reenact.rendering.renderer import Renderer

CHUNK = 16
"""Frames rendered at once."""


def cache_channels(conditioning: Sequence[ConditioningImage]) -> int:
    """The conditioning images of a frame, then its region image."""
    return conditioning_channels(conditioning) + 1


@cache
def renderer_version() -> str:
    """Digest of the source that decides what a conditioning image looks like: a version that nobody can forget to raise."""
    package = Path(lit_reenact.__file__).parent
    sources = [
        package / "core" / "geometry.py",
        *sorted(package.glob("face/*.py")),
        *sorted(package.glob("rendering/**/*.py")),
        Path(__file__),
    ]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def conditioning_cache(
    track: Track, folder: Path, size: int, conditioning: Sequence[ConditioningImage], prefix: str = "conditioning"
) -> CacheFile:
    """The file for the images of ``track`` at ``size`` pixels: uint8 (T, size, size, cache_channels), the layout of the networks.

    Its name begins with ``prefix`` and changes with everything that they are made from; those of one choice of images do not
    replace those of another, which may be in use.
    """
    images = "-".join(conditioning)
    digest = scene_digest(track, f"{size} {images}")
    shape = (len(track), size, size, cache_channels(conditioning))
    return CacheFile(folder, f"{prefix}-{images}-{size}", digest, shape)


def scene_digest(track: Track, beside: str) -> str:
    """Digest of everything that decides what is drawn of a track: 16 hexadecimal digits.

    Args:
        track: brings parameters, actor, camera and face model.
        beside: what else does.
    """
    digest = hashlib.sha256(repr((track.camera, track.info.face_model_hash, beside, renderer_version())).encode())
    for part in (track.parameters, track.actor):
        for field in fields(part):
            values = getattr(part, field.name)
            digest.update(f"{field.name}{tuple(values.shape)}{values.dtype}".encode())
            digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def ensure_cache(file: CacheFile, renderer: Renderer, parameters: FaceParameters, progress: bool = True) -> None:
    """Render the images of all frames, unless they are there.

    Args:
        file: of ``conditioning_cache``.
        renderer: of the track's actor, at the file's size, of its images.
        parameters: of all frames of the track.
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
    """The images of a track's frames out of their file."""

    def __init__(self, file: CacheFile) -> None:
        self.file = file

    def __call__(self, frames: Tensor) -> Tensor:
        """uint8 (N, cache_channels, H, W) of some frames (N,)."""
        return self.file.read(frames).permute(0, 3, 1, 2)


class DrawnImages:
    """The same images, drawn whenever they are wanted."""

    def __init__(self, renderer: Renderer, parameters: FaceParameters) -> None:
        self.renderer = renderer
        self.parameters = parameters

    def __call__(self, frames: Tensor) -> Tensor:
        """uint8 (N, cache_channels, H, W) of some frames (N,)."""
        return self.renderer.draw(self.parameters[frames])
