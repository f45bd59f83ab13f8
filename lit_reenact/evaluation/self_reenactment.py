"""The target driven by its own held-out motion: the one case in which every output has a real frame to be compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.split import Split, temporal_split
from lit_reenact.evaluation.baselines import MeanFrame, NearestFrame, WarpedNearestFrame
from lit_reenact.evaluation.heldout import measure
from lit_reenact.evaluation.rendered_face import RenderedFace
from lit_reenact.face import load_face_model
from lit_reenact.networks.generator import Generator
from lit_reenact.synthesis import conditioning_picture, target_renderer, write_self_reenactment
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video import resize_frames

NEAREST = {
    "nearest frame, warped": WarpedNearestFrame,
    "nearest frame, face rendered": RenderedFace,
    "nearest frame": NearestFrame,
}
"""Baselines that begin with the nearest training frame, by name."""

MEAN = "mean frame"
SIMPLEST = ("nearest frame", MEAN)
EVERY = (*NEAREST, MEAN)

SUMMARY = ("face_l1", "l1", "psnr", "ssim")
"""Metrics that are told of a training; ``lit-reenact evaluate`` tells more, with intervals."""


@dataclass(frozen=True)
class HeldOut:
    """The model and the baselines on the test part of a clip, N frames.

    Attributes:
        frames: their numbers in the clip.
        measured: how many of them show a known face and count in the metrics.
        metrics: method to metric to mean value; the model comes first.
        real: the clip's frames, uint8 (N, H, W, 3).
        conditioning: pictures of what the network saw last, the same.
        made: the model's frames, the same.
    """

    frames: range
    measured: int
    metrics: dict[str, dict[str, float]]
    real: Tensor
    conditioning: Tensor
    made: Tensor


def evaluate_held_out(target: TrackedClip, generator: Generator, video: Path, progress: bool = True, **facts: str) -> HeldOut:
    """Synthesise the test part, write it as a video, and measure the model and both baselines against the real frames.

    Frames in which no face is known are in the video but not in the metrics.

    Raises:
        ReenactError: the clip is too short to have a test part.
    """
    track, size = target.track, generator.image_size
    split = temporal_split(len(track), float(target.fps), window=generator.shape.span)
    made = write_self_reenactment(target, split.test, generator, video, progress, **facts)
    parameters = track.parameters[split.test.start : split.test.stop]
    renderer = target_renderer(track, generator)
    regions = renderer.regions(parameters).cpu()
    real = target.read(split.test, size)
    known = track.valid[split.test.start : split.test.stop]
    outputs = {"model": made, **baseline_frames(target, split, size)}
    values = measure({name: frames[known] for name, frames in outputs.items()}, real[known], regions[known])
    return HeldOut(
        frames=split.test,
        measured=int(known.sum()),
        metrics={name: {key: float(metrics[key].double().nanmean()) for key in SUMMARY} for name, metrics in values.items()},
        real=real,
        conditioning=conditioning_picture(renderer(parameters).cpu(), generator.conditioning),
        made=made,
    )


def baseline_frames(target: TrackedClip, split: Split, size: int, names: Sequence[str] = SIMPLEST) -> dict[str, Tensor]:
    """The frames of some baselines for the test part, uint8 (N, size, size, 3) by name."""
    track = target.track
    wanted = track.parameters[split.test.start : split.test.stop]
    training = torch.tensor([frame for frame in split.train if track.valid[frame]])
    model = load_face_model(track.info.face_model)

    def read(numbers: list[int]) -> Tensor:
        return resize_frames(target.frames.read(numbers), size)

    def made(name: str) -> Iterator[Tensor]:
        if name == MEAN:
            return MeanFrame(read, training).frames(wanted)
        return NEAREST[name](read, training, track.parameters, model, track.actor, track.camera).frames(wanted)

    return {name: torch.stack(list(made(name))) for name in names}
