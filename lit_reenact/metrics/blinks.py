"""Blinks of a clip, compared with those of the driving clip. A blink is a short dip of the eyes' opening."""

from __future__ import annotations

import torch
from torch import Tensor

CLOSED = 0.5
"""Share of the median opening below which an eye counts as closed."""

LONGEST = 0.5
"""Longest blink, seconds (blinks take 0.1 to 0.4 s); eyes that stay closed for longer do not blink."""

TOLERANCE = 0.1
"""Largest time between two blinks, seconds, that count as the same one."""


def find_blinks(opening: Tensor, fps: float) -> Tensor:
    """Find the frames in which blinks are deepest.

    A blink is an unbroken run of frames with less than ``CLOSED`` of the median opening, no longer than ``LONGEST``.

    Args:
        opening: (T,) opening of the eyes; NaN where it is unknown.
        fps: frames per second.

    Returns:
        Frame numbers int64 (N,), ascending.
    """
    closed = opening < CLOSED * opening.nanmedian()  # false for NaN
    change = torch.diff(closed.int(), prepend=torch.zeros(1, dtype=torch.int32), append=torch.zeros(1, dtype=torch.int32))
    starts, stops = (change == 1).nonzero()[:, 0].tolist(), (change == -1).nonzero()[:, 0].tolist()
    deepest = [
        start + int(opening[start:stop].argmin())
        for start, stop in zip(starts, stops, strict=True)
        if stop - start <= LONGEST * fps
    ]
    return torch.tensor(deepest, dtype=torch.int64)


def blink_events(driving: Tensor, output: Tensor, fps: float) -> Tensor:
    """Return the frames with a blink of the driving clip, with one of the output, and with one that both have.

    Blinks that are at most ``TOLERANCE`` apart match, in order of time, each at most once. Both of a pair count at the driving
    blink, so that no resampling of frames separates them.

    Args:
        driving: (T,) opening of the driving eyes.
        output: (T,) opening of the generated eyes.
        fps: frames per second.

    Returns:
        float64 (T, 3) of 0 and 1.
    """
    events = torch.zeros(len(driving), 3, dtype=torch.float64)
    expected, detected = find_blinks(driving, fps), find_blinks(output, fps)
    events[expected, 0] = 1
    events[detected, 1] = 1
    left = detected.tolist()
    for blink in expected.tolist():
        near = next((other for other in left if abs(other - blink) <= TOLERANCE * fps), None)
        if near is not None:
            left = [other for other in left if other > near]
            events[near, 1] -= 1
            events[blink, 1:] += 1
    return events


def blink_f1(events: Tensor) -> Tensor:
    """Return the F1 score of blinks, 2 both / (driving + output); in [0, 1], 1 if every blink has a match, NaN without blinks.

    Args:
        events: (..., 3) sums or means of ``blink_events`` over frames.
    """
    driving, output, both = events.unbind(-1)
    return 2 * both / (driving + output)
