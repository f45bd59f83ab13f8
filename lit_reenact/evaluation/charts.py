"""Charts of lines and of intervals as inline SVG: no script, no outside request, colours from the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 180
LEFT, RIGHT, TOP, BOTTOM = 42, 10, 8, 34
MOST_POINTS = 500
ROW, NAMES = 24, 190
"""Height of a row of a chart of intervals, and what its names take of the width."""

HEAD = 24
"""Height of the title of a chart in a file."""

FILE_STYLE = (
    "text { font-family: sans-serif; } .head { font-size: 13px; font-weight: 600; fill: #16191f; } "
    ".tick { font-size: 12px; fill: #626b7a; } .grid { stroke: #e1e5eb; } .zero { stroke: #626b7a; stroke-dasharray: 3 3; } "
    ".interval { stroke: #4355d8; stroke-width: 3; stroke-linecap: round; opacity: .55; } .dot { fill: #4355d8; } "
    ".mark { fill: none; stroke: #16191f; }"
)


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        x: ascending and finite.
        y: as many values; NaN interrupts the line.
        colour: of CSS, e.g. ``var(--output)``.
        low, high: edges of a band about it, as many values, or none.
    """

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True)
class Bar:
    """One row of a chart of intervals.

    Attributes:
        value: of the dot.
        low, high: ends of the interval.
        marks: single values, of which the dot is the mean.
    """

    value: float
    low: float
    high: float
    marks: Sequence[float] = ()


@dataclass(frozen=True)
class Axis:
    """Values [low, high] laid over pixels [start, stop]."""

    low: float
    high: float
    start: float
    stop: float

    @classmethod
    def over(cls, values: Iterator[float], start: float, stop: float, margin: float = 0.0) -> Axis:
        """An axis that shows all finite ``values`` and ``margin`` of their extent beyond each end."""
        finite = [value for value in values if math.isfinite(value)]
        low, high = min(finite), max(finite)
        room = (high - low) * margin if high > low else abs(low) * 0.1 or 1.0
        return cls(low - room, high + room, start, stop)

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)

    def ticks(self, count: int) -> list[float]:
        """About ``count`` round numbers (1, 2 or 5 times a power of ten apart) within the axis."""
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [round(number * step, 12) for number in range(first, last + 1)]


def line_chart(title: str, lines: Mapping[str, Line], x_label: str) -> str:
    """A ``<figure>`` with the title, a legend when there is more than one line, and the lines; HTML, all text escaped."""
    drawn = {name: line for name, line in lines.items() if any(math.isfinite(y) for y in line.y)}
    if not drawn:
        caption = f"<figcaption><b>{escape(title)}</b></figcaption>"
        return f'<figure class="chart">{caption}<p class="quiet">Nothing was recorded.</p></figure>'
    across = Axis.over((x for line in drawn.values() for x in line.x), LEFT, WIDTH - RIGHT)
    up = Axis.over((y for line in drawn.values() for y in (*line.y, *line.low, *line.high)), HEIGHT - BOTTOM, TOP, margin=0.06)
    keys = "".join(f'<span><i style="background:{escape(line.colour)}"></i>{escape(name)}</span>' for name, line in drawn.items())
    bands = "".join(_band(line, across, up) for line in drawn.values())
    body = "".join(_grid(across, up)) + bands + "".join(mark for line in drawn.values() for mark in _marks(line, across, up))
    return (
        f'<figure class="chart"><figcaption><b>{escape(title)}</b>{keys if len(drawn) > 1 else ""}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{body}'
        f'<text class="tick" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(x_label)}</text></svg></figure>'
    )


@dataclass(frozen=True)
class IntervalChart:
    """Named rows of intervals, and a line at 0.

    Attributes:
        title: above it.
        bars: rows by their names; one without a value (NaN) stays empty.
        x_label: below it.
    """

    title: str
    bars: Mapping[str, Bar]
    x_label: str

    @property
    def height(self) -> int:
        return TOP + ROW * len(self.bars) + BOTTOM

    def figure(self) -> str:
        """A ``<figure>``; HTML, all text escaped."""
        title = escape(self.title)
        return (
            f'<figure class="chart"><figcaption><b>{title}</b></figcaption>'
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{title}">{self.body()}</svg></figure>'
        )

    def body(self) -> str:
        """What is within the ``<svg>``."""
        ends = (end for bar in self.bars.values() for end in (bar.low, bar.high, bar.value, *bar.marks, 0.0))
        across, foot = Axis.over(ends, NAMES, WIDTH - RIGHT, margin=0.06), self.height - BOTTOM
        zero = across.place(0.0)
        parts = [*_ticks_below(across, foot), f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="{TOP}" y2="{foot}"/>']
        for number, (name, bar) in enumerate(self.bars.items()):
            y = TOP + ROW * (number + 0.5)
            parts.append(f'<text class="tick" x="{NAMES - 10}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>')
            parts += _bar(bar, across, y)
        label = f'<text class="tick" x="{WIDTH - RIGHT}" y="{self.height - 4}" text-anchor="end">{escape(self.x_label)}</text>'
        return "".join([*parts, label])


def picture_file(title: str, charts: Sequence[IntervalChart]) -> str:
    """Charts one below the other as an SVG file of its own, dark on white."""
    parts, top = [], 0
    for chart in charts:
        parts.append(f'<text class="head" x="8" y="{top + 17}">{escape(chart.title)}</text>')
        parts.append(f'<g transform="translate(0 {top + HEAD})">{chart.body()}</g>')
        top += HEAD + chart.height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{2 * WIDTH}" height="{2 * top}">'
        f"<title>{escape(title)}</title><style>{FILE_STYLE}</style>"
        f'<rect width="{WIDTH}" height="{top}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _ticks_below(across: Axis, foot: int) -> Iterator[str]:
    for value in across.ticks(4):
        x = across.place(value)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{foot}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{foot + 15}" text-anchor="middle">{value:g}</text>'


def _bar(bar: Bar, across: Axis, y: float) -> Iterator[str]:
    if math.isfinite(bar.low) and math.isfinite(bar.high):
        low, high = across.place(bar.low), across.place(bar.high)
        yield f'<line class="interval" x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
    for mark in bar.marks:
        yield f'<circle class="mark" cx="{across.place(mark):.1f}" cy="{y:.1f}" r="2"/>' if math.isfinite(mark) else ""
    if math.isfinite(bar.value):
        yield f'<circle class="dot" cx="{across.place(bar.value):.1f}" cy="{y:.1f}" r="4"/>'


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
    """The unbroken runs of a line as polylines; a value alone between gaps as a dot."""
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
