"""Comparison of driving parameters with the training range: report what lies outside, and limit it on request."""

from __future__ import annotations

from fractions import Fraction
from typing import get_args

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.guard.ranges import Channel, SeenRange, channel_values, replace_channel_values
from lit_reenact.guard.report import COMBINATION, Excess, GuardMode, GuardReport
from lit_reenact.transfer import limit_softly

ROUNDING = 1e-3
"""Share of a margin by which rounding may put a clamped channel outside again."""


def guard(
    parameters: FaceParameters, target: Track, mode: GuardMode = "warn", fps: Fraction | None = None
) -> tuple[FaceParameters, GuardReport]:
    """Compare driving parameters with the target's training frames, and limit them to that range on request.

    Args:
        parameters: driving parameters of T frames.
        target: track of the person whose network will draw them.
        mode: "warn" returns the same parameters; "clamp" and "soft" change only the channels and frames that lie outside. The
            head is limited in yaw, pitch and roll about its mean pose, the light in the mean of its colours.
        fps: frames per second of the parameters, for the report; None takes the target's.

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
    report = GuardReport(mode, len(parameters), str(target.info.fps if fps is None else fps), tuple(excesses))
    if mode == "warn":
        return parameters, report
    limited = inside if mode == "clamp" else limit_softly(values, seen.low, seen.high)
    return replace_channel_values(parameters, values, limited, seen.mean_pose), report


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
