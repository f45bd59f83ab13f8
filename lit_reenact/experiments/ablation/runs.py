"""A training as a process of its own, and what it reached, measured once and kept beside its checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_reenact.core.files import write_text
from lit_reenact.core.split import Split
from lit_reenact.evaluation.evaluate import MODEL, measure_frames, synthesised
from lit_reenact.evaluation.heldout import Values
from lit_reenact.evaluation.self_reenactment import EVERY, baseline_frames
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.trackfile import TRACK_NAME
from lit_reenact.video.io import sha256


@dataclass(frozen=True)
class Measured:
    """What was measured of some methods on a held-out part.

    Attributes:
        training: numbers of the frames that could be learned from.
        test: numbers of the N frames.
        size: their side in pixels.
        methods: method to metric to the value of each frame, float64 (N,) or (N, K), NaN where there is none.
    """

    training: range
    test: range
    size: int
    methods: Values


def measured(checkpoint: Path, own: TrackedClip, target: TrackedClip, kept: Path) -> Measured:
    """What a checkpoint reaches on the held-out part; measured anew only if it or a track is another than when it was kept.

    Args:
        checkpoint: of a training.
        own: the track that it was trained on and is driven by.
        target: the track of the same clip that says where the face is, the same for all that are compared.
        kept: the JSON file.

    Raises:
        ReenactError: as ``synthesised`` and ``measure_frames``.
    """
    facts = {"checkpoint": sha256(checkpoint), "driven by": _hash(own), "target": _hash(target)}

    def measure() -> Measured:
        candidate = synthesised(own, checkpoint, progress=False)
        return _measured(target, candidate.split, {MODEL: candidate.frames})

    return _kept(kept, facts, measure)


def measured_baselines(target: TrackedClip, like: Measured, kept: Path) -> Measured:
    """The same of the baselines that learn nothing, on the split and at the size of a training."""
    facts = {"target": _hash(target), "split": f"{like.training} {like.test}", "size": str(like.size)}
    split = Split(like.training, range(0), like.test)
    return _kept(kept, facts, lambda: _measured(target, split, baseline_frames(target, split, like.size, EVERY)))


def _measured(target: TrackedClip, split: Split, outputs: dict[str, Tensor]) -> Measured:
    size = next(iter(outputs.values())).shape[1]
    values = measure_frames(target, split.test, target.read(split.test, size), outputs)
    return Measured(split.train, split.test, size, values)


def _hash(clip: TrackedClip) -> str:
    return sha256(clip.folder / TRACK_NAME)


def _kept(path: Path, facts: dict[str, str], make: Callable[[], Measured]) -> Measured:
    """What the file says if it says it of these facts; else what is made, which is kept there."""
    try:
        content = json.loads(path.read_text())
        if content["facts"] == facts:
            return _read(content)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    made = make()
    methods = {method: {name: _plain(values) for name, values in metrics.items()} for method, metrics in made.methods.items()}
    ranges = {"training": [made.training.start, made.training.stop], "frames": [made.test.start, made.test.stop]}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"facts": facts, **ranges, "size": made.size, "methods": methods}) + "\n")
    return _read(json.loads(path.read_text()))  # the same digits, whether it was kept or not


def _read(content: dict[str, Any]) -> Measured:
    methods = {
        method: {name: torch.tensor(values, dtype=torch.float64) for name, values in metrics.items()}
        for method, metrics in content["methods"].items()
    }
    return Measured(range(*content["training"]), range(*content["frames"]), content["size"], methods)


def _plain(values: Tensor) -> Any:
    """Nested lists of six digits; JSON as Python writes and reads it knows NaN and infinity."""
    return [_plain(row) for row in values] if values.ndim else float(f"{float(values):.6g}")
