"""Held-out measurements of a run and of the baselines, kept in a file until what they measure changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_reenact.core.files import sha256_of, write_text
from lit_reenact.core.split import Split
from lit_reenact.evaluation.baseline_frames import generate_baselines
from lit_reenact.evaluation.candidates import MODEL, synthesise_candidate
from lit_reenact.evaluation.clip_metrics import measure_frames
from lit_reenact.evaluation.frame_metrics import Values
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.trackfile import TRACK_NAME


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


def measure_checkpoint(checkpoint: Path, driver: TrackedClip, target: TrackedClip, cache: Path) -> Measurements:
    """Measure a checkpoint on the held-out part, unless the cache holds the measurements of it and of both tracks.

    Args:
        checkpoint: checkpoint of a training.
        driver: track that the checkpoint was trained on and is driven by.
        target: track of the same clip that says where the face is; one for all checkpoints that are compared.
        cache: JSON file of the measurements.

    Raises:
        ReenactError: the checkpoint or a clip cannot be read, or they do not belong together.
    """
    facts = {"checkpoint": sha256_of(checkpoint), "driven by": _hash(driver), "target": _hash(target)}

    def measure() -> Measurements:
        candidate = synthesise_candidate(driver, checkpoint, progress=False)
        return _measure(target, candidate.split, {MODEL: candidate.frames})

    return _load_or_measure(cache, facts, measure)


def measure_baselines(target: TrackedClip, like: Measurements, cache: Path) -> Measurements:
    """Measure the baselines, which learn nothing, on the split and at the size of other measurements; or read the cache."""
    facts = {"target": _hash(target), "split": f"{like.protocol} {like.training} {like.test}", "size": str(like.size)}
    split = Split(like.training, range(0), like.test, like.protocol)
    return _load_or_measure(cache, facts, lambda: _measure(target, split, generate_baselines(target, split, like.size)))


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
