"""What left the range that training showed, where in a video and how far."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal

GuardMode = Literal["warn", "clamp", "soft"]
"""Say it only; bring channels to the border of what was seen; or let them a little over it, softly."""

COMBINATION = "combination"
"""Channel of the report that stands for all others together."""

SPANS, LINES = 3, 6
"""Spans of time that a line of text names, and channels that a text has a line for."""


@dataclass(frozen=True)
class Excess:
    """A channel that left what was seen.

    Attributes:
        channel: its name.
        unit: of the next three.
        low: of what was seen.
        high: of what was seen.
        worst: value farthest outside.
        worst_frame: the frame that has it.
        frames: number of frames outside.
        spans: first frame, and the one after the last, of each run of them.
        beyond: how far outside the channel is, in margins, as a mean over all frames: how much of it there is to see.
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
    """What a guard found, before it limited anything.

    Attributes:
        mode: what it did about it; a ``COMBINATION`` is never limited.
        frames: of the driven video.
        fps: its frames per second.
        excesses: those that are seen most first.
    """

    mode: GuardMode
    frames: int
    fps: str
    excesses: tuple[Excess, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def to_text(self) -> str:
        """A line for each of the first channels, and one for the number of the others; empty if nothing was outside."""
        others = self.excesses[LINES:]
        lines = [self._line(excess) for excess in self.excesses[:LINES]]
        return "\n".join([*lines, f"and less of {len(others)} more: {', '.join(e.channel for e in others)}"] if others else lines)

    def _line(self, excess: Excess) -> str:
        rate = float(Fraction(self.fps))
        longest = sorted(sorted(excess.spans, key=lambda span: span[0] - span[1])[:SPANS])
        spans = ", ".join(f"{start / rate:.1f}-{stop / rate:.1f} s" for start, stop in longest)
        more = f" and {len(excess.spans) - SPANS} more" if len(excess.spans) > SPANS else ""
        where = f"{excess.frames} of {self.frames} frames ({spans}{more})"
        if excess.channel == COMBINATION:
            return f"{COMBINATION}: {where} up to {excess.worst:.1f} times as far from training as its frames lie from each other"
        form, unit = ("+.0f", f" {excess.unit}") if excess.unit else (".2f", "")
        low, high, worst = (f"{value:{form}}{unit}" for value in (excess.low, excess.high, excess.worst))
        return f"{excess.channel}: {where} as far as {worst}; training showed {low} to {high}"
