"""The frames of every baseline for the held-out part of a clip."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lit_reenact.core.split import Split
from lit_reenact.evaluation.baselines import MeanFrame, NearestFrame, WarpedNearestFrame
from lit_reenact.evaluation.rendered_face import RenderedFace
from lit_reenact.face import load_face_model
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video import resize_frames

NEAREST = {
    "nearest frame, warped": WarpedNearestFrame,
    "nearest frame, face rendered": RenderedFace,
    "nearest frame": NearestFrame,
}
"""Baselines that start from the nearest training frame, by name; the strongest first."""

MEAN = "mean frame"
"""Name of the baseline in which nothing moves."""

BASELINES = (*NEAREST, MEAN)
"""Names of all baselines, in the order of every table."""


def generate_baselines(target: TrackedClip, split: Split, size: int) -> dict[str, Tensor]:
    """Return the frames of every baseline for the test part, uint8 (N, size, size, 3) by name.

    Args:
        target: clip whose training part the baselines copy from.
        split: parts of the clip; only training frames with a known face are used.
        size: side of the frames in pixels.
    """
    track = target.track
    wanted = track.parameters[split.test.start : split.test.stop]
    training = torch.tensor([frame for frame in split.train if track.valid[frame]])
    model = load_face_model(track.info.face_model)

    def read(numbers: list[int]) -> Tensor:
        return resize_frames(target.frames.read(numbers), size)

    def generate(name: str) -> Iterator[Tensor]:
        if name == MEAN:
            return MeanFrame(read, training).frames(wanted)
        return NEAREST[name](read, training, track.parameters, model, track.actor, track.camera).frames(wanted)

    return {name: torch.stack(list(generate(name))) for name in BASELINES}
