"""Held-out measurements of a run and of the baselines, kept in a file until what they measure changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from lit_reenact.core.files import sha256_of, write_text
from lit_reenact.core.split import Split
from lit_reenact.evaluation.baseline_frames import generate_baselines
from lit_reenact.evaluation.candidates import MODEL, synthesise_candidate
from lit_reenact.evaluation.clip_metrics import measure_frames
from lit_reenact.evaluation.frame_metrics import Values
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.trackfile import TRACK_NAME
from lit_reenact.video import resize_frames


@dataclass(frozen=True)
class Measurements:
    """Measurements of some methods on a held-out part of N frames.

    Attributes:
        training: numbers of the training frames.
        test: numbers of the N held-out frames.
        size: side of the frames, pixels.
        protocol: name of the split.
        methods: method to metric to the value of each frame, float64 (N,) or (N, K), NaN where there is none.
    """

    training: range
    test: range
    size: int
    protocol: str
    methods: Values


def measure_checkpoint(
    checkpoint: Path, driver: TrackedClip, target: TrackedClip, cache: Path, size: int | None = None
) -> Measurements:
    """Measure a checkpoint on the held-out part, unless the cache holds the measurements of it and of both tracks.

    Args:
        checkpoint: checkpoint of a training.
        driver: track that the checkpoint was trained on and is driven by.
        target: track of the same clip that says where the face is; one for all checkpoints that are compared.
        cache: JSON file of the measurements.
        size: side of the frames that are compared, pixels; None for the checkpoint's own.

    Raises:
        ReenactError: the checkpoint or a clip cannot be read, or they do not belong together.
    """
    facts = {"checkpoint": sha256_of(checkpoint), "driven by": _hash(driver), "target": _hash(target)}
    facts |= {} if size is None else {"size": str(size)}

    def measure() -> Measurements:
        candidate = synthesise_candidate(driver, checkpoint, progress=False)
        frames = candidate.frames if size is None else scale_frames(candidate.frames, size)
        return _measure(target, candidate.split, {MODEL: frames})

    return _load_or_measure(cache, facts, measure)


def measure_baselines(target: TrackedClip, like: Measurements, cache: Path) -> Measurements:
    """Measure the baselines, which learn nothing, on the split and at the size of other measurements; or read the cache."""
    facts = {"target": _hash(target), "split": f"{like.protocol} {like.training} {like.test}", "size": str(like.size)}
    split = Split(like.training, range(0), like.test, like.protocol)
    return _load_or_measure(cache, facts, lambda: _measure(target, split, generate_baselines(target, split, like.size)))


def measure_pictures(frames: Tensor, target: TrackedClip, split: Split, size: int, cache: Path) -> Measurements:
    """Measure another system's frames of the held-out part, uint8 (N, S, S, 3), at a size in pixels; or read the cache."""
    digest = hashlib.sha256(frames.numpy().tobytes()).hexdigest()
    facts = {"frames": digest, "target": _hash(target), "split": f"{split.protocol} {split.test}", "size": str(size)}
    return _load_or_measure(cache, facts, lambda: _measure(target, split, {MODEL: scale_frames(frames, size)}))


def scale_frames(frames: Tensor, size: int) -> Tensor:
    """Resize frames uint8 (N, S, S, 3) to a size in pixels: smaller by averaging over areas, larger by bicubic interpolation."""
    if frames.shape[1] >= size:
        return resize_frames(frames, size)
    images = frames.permute(0, 3, 1, 2).float()
    larger = interpolate(images, size=(size, size), mode="bicubic", align_corners=False)
    return larger.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _measure(target: TrackedClip, split: Split, outputs: dict[str, Tensor]) -> Measurements:
    size = next(iter(outputs.values())).shape[1]
    values = measure_frames(target, split.test, target.read(split.test, size), outputs)
    return Measurements(split.train, split.test, size, split.protocol, values)


def _hash(clip: TrackedClip) -> str:
    return sha256_of(clip.folder / TRACK_NAME)


def _load_or_measure(cache: Path, facts: dict[str, str], measure: Callable[[], Measurements]) -> Measurements:
    """Return the measurements in the cache if they have these facts; otherwise measure and fill the cache."""
    try:
        content = json.loads(cache.read_text())
        if content["facts"] == facts:
            return _from_json(content)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    write_text(cache, json.dumps({"facts": facts, **_to_json(measure())}) + "\n")
    return _from_json(json.loads(cache.read_text()))  # the same digits as from an earlier cache


def _to_json(one: Measurements) -> dict[str, Any]:
    methods = {method: {name: _plain(values) for name, values in metrics.items()} for method, metrics in one.methods.items()}
    ranges = {"training": [one.training.start, one.training.stop], "frames": [one.test.start, one.test.stop]}
    return {**ranges, "size": one.size, "protocol": one.protocol, "methods": methods}


def _from_json(content: dict[str, Any]) -> Measurements:
    methods = {
        method: {name: torch.tensor(values, dtype=torch.float64) for name, values in metrics.items()}
        for method, metrics in content["methods"].items()
    }
    training, test = (range(*content[name]) for name in ("training", "frames"))
    return Measurements(training, test, content["size"], content["protocol"], methods)


def _plain(values: Tensor) -> Any:
    """Return nested lists of values with six digits; Python's JSON knows NaN and infinity."""
    return [_plain(row) for row in values] if values.ndim else float(f"{float(values):.6g}")
