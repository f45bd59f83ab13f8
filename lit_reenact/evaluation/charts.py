"""Line charts as inline SVG: no script, no outside request, colours from the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 180
LEFT, RIGHT, TOP, BOTTOM = 42, 10, 8, 34
MOST_POINTS = 500

COLOURS = ("var(--output)", "var(--third)", "#2a9d6f", "#b0457b", "var(--driving)", "#1f7a99", "#8a6d3b")
"""Colours of lines, in their order."""


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        x: horizontal positions, ascending and finite.
        y: values, one for each position; NaN interrupts the line.
        colour: CSS colour, e.g. ``var(--output)``.
        low: lower edge of a band around the line, one value for each position; empty for no band.
        high: upper edge of a band around the line, one value for each position; empty for no band.
    """

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    low: Sequence[float] = ()
    high: Sequence[float] = ()

    @property
    def is_visible(self) -> bool:
        """True if any value is finite."""
        return any(math.isfinite(y) for y in self.y)


@dataclass(frozen=True)
class Axis:
    """Values [low, high] mapped to pixels [start, stop]."""

    low: float
    high: float
    start: float
    stop: float

    @classmethod
    def over(cls, values: Iterable[float], start: float, stop: float, margin: float = 0.0) -> Axis:
        """Return an axis that shows all finite ``values`` and ``margin`` of their extent beyond each end."""
        finite = [value for value in values if math.isfinite(value)]
        low, high = min(finite), max(finite)
        room = (high - low) * margin if high > low else abs(low) * 0.1 or 1.0
        return cls(low - room, high + room, start, stop)

    def place(self, value: float) -> float:
        """Return the pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)

    def ticks(self, count: int) -> list[float]:
        """Return about ``count`` round numbers (1, 2 or 5 times a power of ten apart) within the axis."""
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [round(number * step, 12) for number in range(first, last + 1)]


def line_chart(title: str, lines: Mapping[str, Line], x_label: str) -> str:
    """Return a ``<figure>`` with the title, a legend when there is more than one line, and the lines; all text escaped.

    Example:
        >>> line_chart("Face L1", {"model": Line([0.0, 1.0], [9.0, 8.5], "var(--output)")}, "seconds")
    """
    visible = {name: line for name, line in lines.items() if line.is_visible}
    if not visible:
        caption = f"<figcaption><b>{escape(title)}</b></figcaption>"
        return f'<figure class="chart">{caption}<p class="quiet">Nothing was recorded.</p></figure>'
    legend = _legend(visible) if len(visible) > 1 else ""
    return (
        f'<figure class="chart"><figcaption><b>{escape(title)}</b>{legend}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{_drawing([*visible.values()])}'
        f'<text class="tick" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(x_label)}</text></svg></figure>'
    )


def _legend(lines: Mapping[str, Line]) -> str:
    return "".join(f'<span><i style="background:{escape(line.colour)}"></i>{escape(name)}</span>' for name, line in lines.items())


def _drawing(lines: Sequence[Line]) -> str:
    """Return the grid, then all bands, then all lines, so that no band covers a line."""
    across = Axis.over((x for line in lines for x in line.x), LEFT, WIDTH - RIGHT)
    up = Axis.over((y for line in lines for y in (*line.y, *line.low, *line.high)), HEIGHT - BOTTOM, TOP, margin=0.06)
    bands = [_band(line, across, up) for line in lines]
    marks = [mark for line in lines for mark in _marks(line, across, up)]
    return "".join([*_grid(across, up), *bands, *marks])


def _band(line: Line, across: Axis, up: Axis) -> str:
    edges = [*zip(line.x, line.high, strict=True), *reversed([*zip(line.x, line.low, strict=True)])] if line.low else []
    points = " ".join(f"{across.place(x):.1f},{up.place(y):.1f}" for x, y in edges if math.isfinite(y))
    return f'<polygon class="band" style="fill:{escape(line.colour)}" points="{points}"/>' if points else ""


def _grid(across: Axis, up: Axis) -> Iterator[str]:
    for value in up.ticks(4):
        y = up.place(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    for value in across.ticks(5):
        yield f'<text class="tick" x="{across.place(value):.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{value:g}</text>'


def _marks(line: Line, across: Axis, up: Axis) -> Iterator[str]:
    """Yield the unbroken runs of a line as polylines, and a value alone between gaps as a dot."""
    stride = max(1, math.ceil(len(line.x) / MOST_POINTS))
    run: list[str] = []
    for x, y in [*zip(line.x[::stride], line.y[::stride], strict=True), (0.0, math.nan)]:
        if math.isfinite(y):
            run.append(f"{across.place(x):.1f},{up.place(y):.1f}")
        elif len(run) > 1:
            yield f'<polyline class="line" style="stroke:{escape(line.colour)}" points="{" ".join(run)}"/>'
            run = []
        elif run:
            cx, cy = run.pop().split(",")
            yield f'<circle style="fill:{escape(line.colour)}" cx="{cx}" cy="{cy}" r="2.5"/>'
