"""All trials of a sweep in one picture: parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from lit_reenact.experiments.sweep.definition import Sweep, shorten
from lit_reenact.experiments.sweep.trials import Result

INK, QUIET = "#3c424e", "#9aa1ad"


@dataclass(frozen=True)
class Scale:
    """The vertical axis of a parameter or of the metric.

    Attributes:
        name: label of the axis.
        heights: place of each trial on the axis, in [0, 1].
        ticks: label to its place on the axis, in [0, 1].
    """

    name: str
    heights: Sequence[float]
    ticks: dict[str, float]


def draw(sweep: Sweep, results: Sequence[Result]) -> Figure:
    """Draw parallel coordinates: an axis for each parameter and one for the metric, a line for each trial, the best one thick.

    Numbers stand at their value, on a logarithmic axis if they span a factor of four or more; other values in the order of the
    file. A trial without a value has no line.

    Args:
        sweep: the sweep.
        results: results of its trials, the best one first.
    """
    with_value = [result for result in results if result.value is not None]
    scales = list(_scales(sweep, with_value))
    figure = Figure(figsize=(2.4 + 2.2 * len(sweep.parameters), 4.6), layout="constrained")
    axes = figure.subplots()
    for at, scale in enumerate(scales):
        _draw_axis(axes, at, scale)
    _draw_lines(axes, sweep, scales, with_value)
    axes.set_title(_title(sweep, results, with_value), fontsize=9, color=INK, loc="left")
    axes.set_axis_off()
    axes.set(xlim=(-0.35, len(scales) - 0.65), ylim=(-0.16, 1.08))
    return figure


def _scales(sweep: Sweep, results: Sequence[Result]) -> Iterator[Scale]:
    for name, choice in sweep.parameters.items():
        values = [result.trial.parameters[name] for result in results]
        yield _scale(name.removeprefix("model.").removeprefix("data."), values, choice)
    yield _scale(sweep.metric, [result.value for result in results], {})


def _scale(name: str, values: Sequence[Any], choice: dict[str, Any]) -> Scale:
    options = choice.get("values", [choice[end] for end in ("min", "max") if end in choice])
    everything = [*options, *values]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in everything):
        return _scale_of_labels(name, values, everything)
    low, high = min(everything, default=0.0), max(everything, default=1.0)
    return _scale_of_numbers(name, values, (low, high), options if "values" in choice else [low, high])


def _scale_of_labels(name: str, values: Sequence[Any], everything: Sequence[Any]) -> Scale:
    labels = list(dict.fromkeys(map(_label, everything)))
    places = {label: (at + 0.5) / len(labels) for at, label in enumerate(labels)}
    return Scale(name, [places[_label(value)] for value in values], places)


def _scale_of_numbers(name: str, values: Sequence[float], ends: tuple[float, float], ticks: Sequence[float]) -> Scale:
    low, high = ends
    stretch = math.log if low > 0 and high >= 4 * low else float
    start, extent = stretch(low), (stretch(high) - stretch(low)) or 1.0

    def place(value: float) -> float:
        return (stretch(value) - start) / extent

    return Scale(name, [place(value) for value in values], {shorten(value): place(value) for value in ticks})


def _label(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _draw_axis(axes: Axes, at: int, scale: Scale) -> None:
    axes.plot([at, at], [0, 1], color=QUIET, linewidth=1, zorder=0)
    axes.text(at, -0.1, scale.name, ha="center", va="top", fontsize=9, color=INK, weight="bold")
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
    for label, height in scale.ticks.items():
        axes.text(at + 0.04, height, label, ha="left", va="center", fontsize=7.5, color=INK, bbox=box, zorder=3)


def _draw_lines(axes: Axes, sweep: Sweep, scales: Sequence[Scale], results: Sequence[Result]) -> None:
    values = [float(result.value) for result in results if result.value is not None]
    colours = colormaps["viridis"]
    normalise = Normalize(min(values, default=0.0), max(values, default=1.0))
    lines = list(zip(*(scale.heights for scale in scales), strict=True))
    for order, line in reversed(list(enumerate(lines))):
        shade = normalise(values[order]) if sweep.maximises else 1 - normalise(values[order])
        width = 3.0 if order == 0 else 1.4
        dashes = "--" if results[order].trial.state == "stopped" else "-"
        axes.plot(range(len(line)), line, dashes, color=colours(0.9 * shade), linewidth=width, marker="o", markersize=width + 2)


def _title(sweep: Sweep, results: Sequence[Result], with_value: Sequence[Result]) -> str:
    goal = "more" if sweep.maximises else "less"
    missing = len(results) - len(with_value)
    without = f", {missing} without a value" if missing else ""
    stopped = ", those stopped early are dashed" if any(result.trial.state == "stopped" for result in with_value) else ""
    return f"{sweep.path.stem}: {len(results)} trials{without}; {goal} is better, the best one is thick{stopped}"
