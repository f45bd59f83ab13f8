"""The guard: what is outside, said and limited."""

from __future__ import annotations

from fractions import Fraction
from typing import get_args

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.guard.ranges import Channel, SeenRange, measured, with_values
from lit_reenact.guard.report import COMBINATION, Excess, GuardMode, GuardReport
from lit_reenact.transfer import limit_softly

ROUNDING = 1e-3
"""Part of a margin by which a channel that was clamped may seem to be outside again."""


def guard(
    parameters: FaceParameters, target: Track, mode: GuardMode = "warn", fps: Fraction | None = None
) -> tuple[FaceParameters, GuardReport]:
    """Compare driving parameters with the target's training frames, and keep them there if asked to.

    Args:
        parameters: of the T frames that are to be drawn.
        target: whose network will draw them.
        mode: "warn" returns the same parameters; "clamp" and "soft" change only the channels and frames that are outside. The
            head is limited in yaw, pitch and roll about its usual pose; the light in what its colours have in common.
        fps: frames per second of the parameters, for the report; the target's without it.

    Raises:
        ReenactError: an unknown mode; no training frame shows a face.
    """
    if mode not in get_args(GuardMode):
        raise ReenactError(f"there is no guard mode {mode!r}: choose {', '.join(get_args(GuardMode))}")
    seen = SeenRange.of(target)
    values = measured(parameters, seen.usual)
    inside = values.clamp(seen.low, seen.high)
    far = seen.unlikeness(inside)
    excesses = [e for k, c in enumerate(seen.channels) if (e := _excess(c, values[:, k], seen.low[k], seen.high[k]))]
    together = _excess(Channel(COMBINATION, "", margin=1.0), far, far.new_tensor(0.0), far.new_tensor(1.0))
    excesses = sorted([*excesses, *([together] if together else [])], key=lambda excess: -excess.beyond)
    report = GuardReport(mode, len(parameters), str(target.info.fps if fps is None else fps), tuple(excesses))
    if mode == "warn":
        return parameters, report
    limited = inside if mode == "clamp" else limit_softly(values, seen.low, seen.high)
    return with_values(parameters, values, limited, seen.usual), report


def _excess(channel: Channel, values: Tensor, low: Tensor, high: Tensor) -> Excess | None:
    """What a series (T,) has outside its range; None if nothing."""
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
