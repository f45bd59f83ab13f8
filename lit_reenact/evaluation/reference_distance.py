"""Distances to the nearest key frame: those that a network was trained with, and those that it meets afterwards."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Track
from lit_reenact.core.split import Split
from lit_reenact.networks.generator import Generator
from lit_reenact.rendering.key_frame_distance import key_frame_distance, share_beyond
from lit_reenact.rendering.reference_selection import outside_gap
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.checkpoint import read_checkpoint
from lit_reenact.transfer import reenact, resample_track

TRAINING, SAMPLES, VALIDATION, TEST = "training_frames", "training_samples", "validation_frames", "test_frames"
"""Names of frames: training frames compared with every key frame, and with those that they were shown; held-out frames."""


@dataclass(frozen=True)
class ReferenceDistance:
    """Distances of frames to the nearest key frame that they may be shown.

    Attributes:
        gap: seconds to either side of a training frame in which it was shown no key frame.
        distances: name of the frames to the distance of each, (N,) in pixels of the clip, infinity without a key frame:
            ``TRAINING``, ``SAMPLES``, ``VALIDATION``, ``TEST``, and ``driver NAME`` for each driver.
    """

    gap: float
    distances: dict[str, Tensor]

    @property
    def medians(self) -> dict[str, float]:
        """Name of the frames to their median distance."""
        return {name: float(values.median()) for name, values in self.distances.items()}

    @property
    def beyond(self) -> dict[str, float]:
        """Name of the frames to the share that is farther from every key frame than 99 % of the training frames."""
        return {name: share_beyond(values, self.distances[TRAINING]) for name, values in self.distances.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        medians = {name: round(value, 3) if math.isfinite(value) else None for name, value in self.medians.items()}
        return {"gap_seconds": self.gap, "medians": medians, "beyond": {name: round(v, 6) for name, v in self.beyond.items()}}

    def to_text(self) -> str:
        """Return a sentence with the medians."""
        medians = ", ".join(f"{name.replace('_', ' ')} {value:.1f}" for name, value in self.medians.items())
        return f"Median distance to the nearest key frame, in pixels of the clip: {medians}."


def measure_reference_distance(
    generator: Generator, target: TrackedClip, split: Split, gap: float, drivers: Mapping[str, Track]
) -> ReferenceDistance | None:
    """Measure the distances of all frames of the parts that show a known face, and of drivers after their transfer.

    Args:
        generator: network that was trained on the clip.
        target: clip that the parts belong to.
        split: parts of the clip.
        gap: seconds to either side of a training frame in which it was shown no key frame.
        drivers: name to the track of who drives the target.

    Returns:
        None if the network takes no key frames and there are no drivers.

    Raises:
        ReenactError: there are drivers, but the network takes no key frames.
    """
    key_frames, track = generator.key_frames, target.track
    if key_frames is None:
        if drivers:
            raise ReenactError("--drivers measures the distance to key frames, but this network takes none: leave it out")
        return None

    def of_frames(numbers: Tensor, allowed: Tensor | None = None) -> Tensor:
        return key_frame_distance(track, key_frames.parameters, track.parameters[numbers], allowed)

    training, validation, test = (
        torch.tensor([number for number in part if track.valid[number]], dtype=torch.int64)
        for part in (split.train, split.validation, split.test)
    )
    allowed = outside_gap(key_frames.numbers, training, round(gap * float(target.fps)))
    distances = {
        TRAINING: of_frames(training),
        SAMPLES: of_frames(training, allowed),
        **{name: of_frames(part) for name, part in ((VALIDATION, validation), (TEST, test)) if len(part)},
    }
    for name, driver in drivers.items():
        driven = reenact(resample_track(driver, target.fps), track)
        distances[f"driver {name}"] = key_frame_distance(track, key_frames.parameters, driven)
    return ReferenceDistance(gap, distances)


def reference_gap(checkpoint: Path) -> float:
    """Return ``data.loading.reference_gap`` of a checkpoint's training in seconds; 0 where it had none.

    Raises:
        ReenactError: the checkpoint cannot be read.
    """
    settings = read_checkpoint(checkpoint).get("datamodule_hyper_parameters", {})
    return float(settings.get("loading", {}).get("reference_gap", 0.0))
