"""Whether a clip blinks when it should. A blink is a short dip of the eyes' opening."""

from __future__ import annotations

import torch
from torch import Tensor

CLOSED = 0.5
"""Share of its median below which an eye's opening counts as closed."""

LONGEST = 0.5
"""Seconds: eyes that stay closed for longer do not blink (a blink takes 0.1 to 0.4 s)."""

TOLERANCE = 0.1
"""Seconds by which two blinks may differ and still be the same one."""


def find_blinks(opening: Tensor, fps: float) -> Tensor:
    """Frames in which blinks are deepest, int64 (N,) ascending, of the opening of the eyes (T,); NaN where that is not known.

    A blink is an unbroken run of frames with less than ``CLOSED`` of the median opening, no longer than ``LONGEST``.
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
    """Which frames hold a blink of the driving clip, one of the output, and one that both have: (T, 3) of 0 and 1.

    Args:
        driving: opening of the eyes (T,).
        output: the same; its blinks are matched with the driving ones in order of time, each at most once, where they are
            at most ``TOLERANCE`` apart. Both of a pair stand at the driving blink, so that no sample of frames parts them.
        fps: frames per second.
    """
    events = torch.zeros(len(driving), 3, dtype=torch.float64)
    wanted, found = find_blinks(driving, fps), find_blinks(output, fps)
    events[wanted, 0] = 1
    events[found, 1] = 1
    left = found.tolist()
    for blink in wanted.tolist():
        near = next((other for other in left if abs(other - blink) <= TOLERANCE * fps), None)
        if near is not None:
            left = [other for other in left if other > near]
            events[near, 1] -= 1
            events[blink, 1:] += 1
    return events


def blink_f1(events: Tensor) -> Tensor:
    """F1 of blinks, 2 both / (driving + output), of sums or means (..., 3) of ``blink_events``: in [0, 1], 1 when each blink
    has its partner, NaN when nobody blinks.
    """
    driving, output, both = events.unbind(-1)
    return 2 * both / (driving + output)
