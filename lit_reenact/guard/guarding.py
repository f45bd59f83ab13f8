"""Comparison of driving parameters with the training range: report what lies outside, and limit it on request."""

from __future__ import annotations

from fractions import Fraction
from typing import get_args

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, KeyFrames, Track
from lit_reenact.guard.ranges import Channel, SeenRange, channel_values, replace_channel_values
from lit_reenact.guard.report import COMBINATION, KEY_FRAMES, Excess, GuardMode, GuardReport
from lit_reenact.rendering.key_frame_distance import COMMON, key_frame_distance
from lit_reenact.transfer import limit_softly

ROUNDING = 1e-3
"""Share of a margin by which rounding may put a clamped channel outside again."""

FEW = 0.05
"""Share of frames that may be far from every key frame without a report: in held-out frames of one performance up to 5 % were."""


def guard(
    parameters: FaceParameters,
    target: Track,
    mode: GuardMode = "warn",
    fps: Fraction | None = None,
    key_frames: KeyFrames | None = None,
) -> tuple[FaceParameters, GuardReport]:
    """Compare driving parameters with the target's training frames, and limit them to that range on request.

    Args:
        parameters: driving parameters of T frames.
        target: track of the person whose network will draw them.
        mode: "warn" returns the same parameters; "clamp" and "soft" change only the channels and frames that lie outside. The
            head is limited in yaw, pitch and roll about its mean pose, the light in the mean of its colours.
        fps: frames per second of the parameters, for the report; None takes the target's.
        key_frames: key frames of the target's network, whose distance is reported; None for a network without them.

    Returns:
        The parameters of T frames, limited by ``mode``, and a report of the parameters before limiting.

    Raises:
        ReenactError: an unknown mode, or no training frame shows a face.

    Example:
        >>> limited, report = guard(parameters, target, mode="clamp")
        >>> print(report.to_text())
    """
    if mode not in get_args(GuardMode):
        raise ReenactError(f"there is no guard mode {mode!r}: choose {', '.join(get_args(GuardMode))}")
    seen = SeenRange.of(target)
    values = channel_values(parameters, seen.mean_pose)
    inside = values.clamp(seen.low, seen.high)
    distance = seen.distance(inside)
    candidates = [
        *(_excess(channel, values[:, k], seen.low[k], seen.high[k]) for k, channel in enumerate(seen.channels)),
        _excess(Channel(COMBINATION, "", margin=1.0), distance, distance.new_tensor(0.0), distance.new_tensor(1.0)),
    ]
    excesses = sorted((excess for excess in candidates if excess is not None), key=lambda excess: -excess.beyond)
    far = None if key_frames is None else _far_frames(parameters, target, key_frames)
    excesses = excesses if far is None else [far, *excesses]
    report = GuardReport(mode, len(parameters), str(target.info.fps if fps is None else fps), tuple(excesses))
    if mode == "warn":
        return parameters, report
    limited = inside if mode == "clamp" else limit_softly(values, seen.low, seen.high)
    return replace_channel_values(parameters, values, limited, seen.mean_pose), report


def _far_frames(parameters: FaceParameters, target: Track, key_frames: KeyFrames) -> Excess | None:
    """Return how far frames go from every key frame beyond 99 % of the training frames; None if hardly any do."""
    training = target.parameters[target.valid[: target.info.actor_frames].nonzero()[:, 0]]
    usual, driven = (key_frame_distance(target, key_frames.parameters, each) for each in (training, parameters))
    excess = _excess(Channel(KEY_FRAMES, "px", margin=1.0), driven, usual.new_tensor(0.0), usual.quantile(COMMON))
    return excess if excess is not None and excess.frames > FEW * len(parameters) else None


def _excess(channel: Channel, values: Tensor, low: Tensor, high: Tensor) -> Excess | None:
    """Return how a series (T,) leaves the range [low, high]; None if it stays inside."""
    over = torch.maximum(values - high, low - values)
    outside = over > ROUNDING * channel.margin
    if not bool(outside.any()):
        return None
    edges = torch.diff(outside.int(), prepend=torch.zeros(1, dtype=torch.int), append=torch.zeros(1, dtype=torch.int))
    starts, stops = ((edges == step).nonzero()[:, 0].tolist() for step in (1, -1))
    worst = int(over.argmax())
    return Excess(
        channel=channel.name,
        unit=channel.unit,
        low=float(low),
        high=float(high),
        worst=float(values[worst]),
        worst_frame=worst,
        frames=int(outside.sum()),
        spans=tuple(zip(starts, stops, strict=True)),
        beyond=float(over.clamp_min(0).mean() / channel.margin),
    )
