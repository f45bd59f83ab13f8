"""Charts of confidence intervals as inline SVG, and as an SVG file of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from lit_reenact.evaluation.charts import BOTTOM, RIGHT, TOP, WIDTH, Axis

ROW = 24
"""Height of a row in pixels."""

NAMES = 190
"""Width of the names at the left in pixels."""

HEAD = 24
"""Height of the title of a chart in a file, in pixels."""

FILE_STYLE = (
    "text { font-family: sans-serif; } .head { font-size: 13px; font-weight: 600; fill: #16191f; } "
    ".tick { font-size: 12px; fill: #626b7a; } .grid { stroke: #e1e5eb; } .zero { stroke: #626b7a; stroke-dasharray: 3 3; } "
    ".interval { stroke: #4355d8; stroke-width: 3; stroke-linecap: round; opacity: .55; } .dot { fill: #4355d8; } "
    ".mark { fill: none; stroke: #16191f; }"
)


@dataclass(frozen=True)
class Bar:
    """One row of a chart of intervals.

    Attributes:
        value: position of the dot.
        low: lower end of the interval.
        high: upper end of the interval.
        marks: single values, whose mean is the dot.
    """

    value: float
    low: float
    high: float
    marks: Sequence[float] = ()


@dataclass(frozen=True)
class IntervalChart:
    """Named rows of intervals, and a line at 0.

    Attributes:
        title: text above the chart.
        bars: rows by their names; a row without a value (NaN) stays empty.
        x_label: text below the chart.
    """

    title: str
    bars: Mapping[str, Bar]
    x_label: str

    @property
    def height(self) -> int:
        """Height of the chart in pixels, without a title."""
        return TOP + ROW * len(self.bars) + BOTTOM

    def figure(self) -> str:
        """Return a ``<figure>`` as HTML, all text escaped."""
        title = escape(self.title)
        return (
            f'<figure class="chart"><figcaption><b>{title}</b></figcaption>'
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{title}">{self.body()}</svg></figure>'
        )

    def body(self) -> str:
        """Return the content of the ``<svg>``."""
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
    """Return charts one below the other as the text of an SVG file, dark on white."""
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
