"""The track file: one .safetensors with a JSON block in its metadata. Nothing in it is ever executed (no pickle)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import atomic_output
from lit_reenact.core.schema import SCHEMA_VERSION, Actor, Camera, CropBox, FaceParameters, Landmarks, Track, TrackInfo
from lit_reenact.face import load_face_model

TRACK_NAME = "track.safetensors"
CLIP_NAME = "clip.mp4"
SERIES = ("valid", "error", "corrective", "corrected_error", "photometric_error")
"""Series of a track beside its parameters and landmarks, one value or row a frame."""

AGAIN = "run `lit-reenact track` on its video again"


def track_files(path: Path) -> tuple[Path, Path]:
    """Return the track file and the clip of a track, which is named by its folder or its file."""
    if path.suffix == ".safetensors" and not path.is_dir():
        return path, path.parent / CLIP_NAME
    return path / TRACK_NAME, path / CLIP_NAME


def save_track(track: Track, folder: Path) -> Path:
    """Write ``folder/track.safetensors`` under a temporary name, then rename it; return its path."""
    tensors = _tensors(track)
    block = {
        "schema": SCHEMA_VERSION,
        "frames": len(track),
        "camera": asdict(track.camera),
        "info": _to_block(track.info),
        "digest": _digest(tensors),
    }
    with atomic_output(folder / TRACK_NAME) as partial:
        save_file(tensors, partial, metadata={"track": json.dumps(block)})
    return folder / TRACK_NAME


def load_track(path: Path) -> Track:
    """Read a track file, named by its path or by its folder.

    Raises:
        ReenactError: there is no such file, it is damaged, of another schema version, or made with another face model.

    Example:
        >>> load_track(Path("outputs/tracks/me")).parameters.expression.shape
    """
    path = path / TRACK_NAME if path.is_dir() else path
    if not path.is_file():
        raise ReenactError(f"{path}: no such track; make one with `lit-reenact track VIDEO -o DIR`")
    block, tensors = _read(path)
    if block.get("schema") != SCHEMA_VERSION:
        raise ReenactError(
            f"{path} has track schema {block.get('schema')}, this version of lit-reenact reads schema {SCHEMA_VERSION}: {AGAIN}"
        )
    try:
        intact = block["digest"] == _digest(tensors)
        track = _track(block, tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise ReenactError(f"{path} is damaged ({error}): {AGAIN}") from error
    if not intact:
        raise ReenactError(f"{path} is damaged (its contents do not match their checksum): {AGAIN}")
    _check_face_model(path, track.info)
    return track


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            block = json.loads((file.metadata() or {})["track"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ReenactError(f"{path} is damaged or no track file of lit-reenact: {AGAIN}") from error
    if not isinstance(block, dict):
        raise ReenactError(f"{path} is damaged or no track file of lit-reenact: {AGAIN}")
    return block, tensors


def _check_face_model(path: Path, info: TrackInfo) -> None:
    try:
        model = load_face_model(info.face_model)
    except ReenactError as error:
        raise ReenactError(f"{path} was made with a face model that cannot be loaded ({error}): {AGAIN}") from error
    if model.hash != info.face_model_hash:
        raise ReenactError(
            f"{path} was made with another version of the face model {info.face_model!r} "
            f"(hash {info.face_model_hash}, here {model.hash}): {AGAIN}"
        )


def _tensors(track: Track) -> dict[str, Tensor]:
    parts: dict[str, FaceParameters | Actor | Landmarks]
    parts = {"parameters": track.parameters, "actor": track.actor, "landmarks": track.landmarks}
    named = {f"{name}.{f.name}": getattr(part, f.name) for name, part in parts.items() for f in fields(part)}
    named |= {name: getattr(track, name) for name in SERIES}
    return {name: value.detach().cpu().contiguous().clone() for name, value in sorted(named.items())}


def _track(block: dict[str, Any], tensors: dict[str, Tensor]) -> Track:
    unmeasured = torch.full((block["frames"], 2), torch.nan)  # in older tracks, which lack it
    tensors = {"photometric_error": unmeasured, **tensors}
    return Track(
        parameters=FaceParameters(**{f.name: tensors[f"parameters.{f.name}"] for f in fields(FaceParameters)}),
        actor=Actor(**{f.name: tensors[f"actor.{f.name}"] for f in fields(Actor)}),
        camera=Camera(**block["camera"]),
        **{name: tensors[name] for name in SERIES},
        landmarks=Landmarks(**{f.name: tensors[f"landmarks.{f.name}"] for f in fields(Landmarks)}),
        info=_from_block(block["info"]),
    )


def _to_block(info: TrackInfo) -> dict[str, Any]:
    """Return the block of a track's info; the schema calls its warnings notes."""
    block = asdict(info)
    block["notes"] = block.pop("warnings")
    return block


def _from_block(block: dict[str, Any]) -> TrackInfo:
    info = dict(block)
    info["crop"], info["warnings"] = CropBox(**info["crop"]), tuple(info.pop("notes"))
    return TrackInfo(**{**info, "cuts": tuple(info.get("cuts", ()))})


def _digest(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 over names, shapes and values, by which a damaged file is recognised."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        total.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        total.update(value.contiguous().view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    return total.hexdigest()
