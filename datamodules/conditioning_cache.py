"""The conditioning images of a track and its region images, rendered once and kept beside it for memory-mapped reading."""

from __future__ import annotations

import hashlib
import os
from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import lit_reenact
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.schema import CONDITIONING_CHANNELS, Track

CHUNK = 16
"""Frames rendered at once."""

CACHE_CHANNELS = CONDITIONING_CHANNELS + 1
"""The conditioning images of a frame, then its region image."""


@cache
def renderer_version() -> str:
    """Digest of the source that decides what a conditioning image looks like: a version that nobody can forget to raise."""
    package = Path(lit_reenact.__file__).parent
    sources = [package / "geometry.py", *sorted(package.glob("face/*.py")), *sorted(package.glob("rendering/*.py"))]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def cache_path(track: Track, folder: Path, size: int) -> Path:
    """Where the images of ``track`` at ``size`` pixels lie; the name changes with everything that they are made from."""
    digest = hashlib.sha256(repr((track.camera, track.info.face_model_hash, size, renderer_version())).encode())
    for part in (track.parameters, track.actor):
        for field in fields(part):
            values = getattr(part, field.name)
            digest.update(f"{field.name}{tuple(values.shape)}{values.dtype}".encode())
            digest.update(values.contiguous().numpy().tobytes())
    return folder / f"conditioning-{size}-{digest.hexdigest()[:16]}.npy"


def ensure_cache(track: Track, folder: Path, renderer: ConditioningRenderer, size: int, progress: bool = True) -> Path:
    """Render the images, uint8 (T, CACHE_CHANNELS, size, size), unless they are there; stale ones of this size are removed.

    Args:
        track: whose frames to render.
        folder: where the track lies.
        renderer: of the track's actor, at ``size``.
        size: of the images in pixels.
        progress: whether to show a progress bar.
    """
    path = cache_path(track, folder, size)
    if path.is_file():
        return path
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        _render(track, renderer, size, partial, progress)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    for other in folder.glob(f"conditioning-{size}-*.npy"):
        if other != path:
            other.unlink(missing_ok=True)
    return path


def _render(track: Track, renderer: ConditioningRenderer, size: int, path: Path, progress: bool) -> None:
    """Write a ``.npy`` file chunk by chunk (a memory map would be killed by a full disk, a write raises OSError)."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(track), CACHE_CHANNELS, size, size)}
    with path.open("wb") as file, tqdm(total=len(track), desc="conditioning images", unit="frame", disable=not progress) as bar:
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
        for start in range(0, len(track), CHUNK):
            parameters = track.parameters[start : start + CHUNK]
            with torch.inference_mode():
                images = torch.cat([renderer(parameters), renderer.regions(parameters)[:, None]], 1)
            file.write(images.cpu().numpy().tobytes())
            bar.update(len(images))
