"""Report of a guard: the channels outside the training range, when and by how much."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal

GuardMode = Literal["warn", "clamp", "soft"]
"""Report only; clamp channels to the training range; or limit them softly a little outside it."""

COMBINATION = "combination"
"""Name of the channel that stands for all others together."""

KEY_FRAMES = "key frames"
"""Name of the distance to the nearest key frame."""

SPANS, LINES = 3, 6
"""Largest number of time spans in a line of text, and of channels with a line of their own."""


@dataclass(frozen=True)
class Excess:
    """Channel that leaves the training range.

    Attributes:
        channel: name of the channel.
        unit: unit of ``low``, ``high`` and ``worst``.
        low: lower end of the training range.
        high: upper end of the training range.
        worst: value farthest outside.
        worst_frame: number of the frame with that value.
        frames: number of frames outside.
        spans: first frame, and the frame after the last, of each run of frames outside.
        beyond: distance outside the range, in margins, as a mean over all frames; it says how visible the excess is.
    """

    channel: str
    unit: str
    low: float
    high: float
    worst: float
    worst_frame: int
    frames: int
    spans: tuple[tuple[int, int], ...]
    beyond: float


@dataclass(frozen=True)
class GuardReport:
    """Channels outside the training range, before any limiting.

    Attributes:
        mode: action of the guard; a ``COMBINATION`` and the distance to ``KEY_FRAMES`` are never limited.
        frames: number of frames of the driving parameters.
        fps: frames per second, as a fraction in text.
        excesses: channels outside: the distance to key frames, then the most visible first.
    """

    mode: GuardMode
    frames: int
    fps: str
    excesses: tuple[Excess, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def to_text(self) -> str:
        """Return a line for each of the first channels, and one that lists the others; empty if nothing is outside."""
        lines = [self._line(excess) for excess in self.excesses[:LINES]]
        others = [excess.channel for excess in self.excesses[LINES:]]
        if others:
            lines.append(f"and, less visibly, {len(others)} more: {', '.join(others)}")
        return "\n".join(lines)

    def _line(self, excess: Excess) -> str:
        rate = float(Fraction(self.fps))
        longest = sorted(sorted(excess.spans, key=lambda span: span[0] - span[1])[:SPANS])
        spans = ", ".join(f"{start / rate:.1f}-{stop / rate:.1f} s" for start, stop in longest)
        more = f" and {len(excess.spans) - SPANS} more" if len(excess.spans) > SPANS else ""
        where = f"{excess.frames} of {self.frames} frames ({spans}{more})"
        if excess.channel == COMBINATION:
            return f"{COMBINATION}: {where} up to {excess.worst:.1f} times as far from training as its frames lie from each other"
        if excess.channel == KEY_FRAMES:
            return f"{KEY_FRAMES}: {where} farther from all of them than 99 % of the training frames, up to {excess.worst:.0f} px"
        form, unit = ("+.0f", f" {excess.unit}") if excess.unit else (".2f", "")
        low, high, worst = (f"{value:{form}}{unit}" for value in (excess.low, excess.high, excess.worst))
        return f"{excess.channel}: {where} as far as {worst}; training showed {low} to {high}"
