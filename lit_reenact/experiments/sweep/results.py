"""What came out of a sweep: a table ordered by the metric, for people and as CSV, and a picture of all trials at once."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from lit_reenact.core.files import write_text
from lit_reenact.experiments.sweep.definition import in_short
from lit_reenact.experiments.sweep.trials import PICTURE, TABLE, Trial, Trials

INK, QUIET = "#3c424e", "#9aa1ad"


@dataclass(frozen=True)
class Result:
    """A trial and the best that it reached.

    Attributes:
        trial: which.
        value: the best value of the metric; None if there is none.
        batch_step: where that was; None likewise.
    """

    trial: Trial
    value: float | None
    batch_step: int | None


def results_of(trials: Trials) -> list[Result]:
    """The best trial first, those without a value last."""
    sign = -1 if trials.sweep.maximises else 1
    results = []
    for trial in trials.trials:
        curve = {step: value for step, value in trials.curves(trial).get(trials.sweep.metric, {}).items() if math.isfinite(value)}
        step = min(curve, key=lambda at: sign * curve[at], default=None)
        results.append(Result(trial, None if step is None else curve[step], step))
    return sorted(results, key=lambda result: math.inf if result.value is None else sign * result.value)


def write_results(trials: Trials) -> list[Result]:
    """Write ``trials.csv`` and ``trials.png`` beside the trials.

    Returns:
        ``results_of``.
    """
    results = results_of(trials)
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows(_rows(trials, results))
    write_text(trials.folder / TABLE, table.getvalue())
    picture = trials.folder / PICTURE
    partial = picture.with_name(f".{picture.name}.part")
    draw(trials, results).savefig(partial, format="png", dpi=150)
    os.replace(partial, picture)
    return results


def text_table(trials: Trials, results: Sequence[Result]) -> str:
    """The table for a terminal."""
    rows = [["-" if cell is None else in_short(cell) for cell in row] for row in _rows(trials, results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def draw(trials: Trials, results: Sequence[Result]) -> Figure:
    """Parallel coordinates: an axis for each parameter and one for the metric, a line for each trial, the best one thick.

    Numbers stand where they are, on a logarithmic axis if they span a factor of four or more; anything else in the order of the
    file. A trial without a value has no line.
    """
    shown = [result for result in results if result.value is not None]
    names = list(trials.sweep.parameters)
    figure = Figure(figsize=(2.4 + 2.2 * len(names), 4.6), layout="constrained")
    axes = figure.subplots()
    heights = []
    for at, name in enumerate(names):
        values = [result.trial.parameters[name] for result in shown]
        places, ticks = _places(values, trials.sweep.parameters[name])
        heights.append(places)
        _axis(axes, at, name.removeprefix("model.").removeprefix("data."), ticks)
    values = [float(result.value) for result in shown if result.value is not None]
    places, ticks = _places(values, {})
    heights.append(places)
    _axis(axes, len(names), trials.sweep.metric, ticks)
    colours = colormaps["viridis"]
    scale = Normalize(min(values, default=0.0), max(values, default=1.0))
    for order, line in reversed(list(enumerate(zip(*heights, strict=True)))):
        shade = scale(values[order]) if trials.sweep.maximises else 1 - scale(values[order])
        width = 3.0 if order == 0 else 1.4
        dashes = "--" if shown[order].trial.state == "stopped" else "-"
        axes.plot(range(len(line)), line, dashes, color=colours(0.9 * shade), linewidth=width, marker="o", markersize=width + 2)
    goal = "more" if trials.sweep.maximises else "less"
    missing = len(results) - len(shown)
    without = f", {missing} without a value" if missing else ""
    stopped = ", those stopped early are dashed" if any(result.trial.state == "stopped" for result in shown) else ""
    axes.set_title(
        f"{trials.sweep.path.stem}: {len(results)} trials{without}; {goal} is better, the best one is thick{stopped}",
        fontsize=9,
        color=INK,
        loc="left",
    )
    axes.set_axis_off()
    axes.set(xlim=(-0.35, len(names) + 0.35), ylim=(-0.16, 1.08))
    return figure


def _places(values: Sequence[Any], choice: dict[str, Any]) -> tuple[list[float], dict[str, float]]:
    """Where values stand on an axis from 0 to 1, and the labels of that axis with their places."""
    options = choice.get("values", [choice[end] for end in ("min", "max") if end in choice])
    everything = [*options, *values]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in everything):
        labels = list(dict.fromkeys(map(_label, everything)))
        where = {label: (at + 0.5) / len(labels) for at, label in enumerate(labels)}
        return [where[_label(value)] for value in values], where
    low, high = min(everything, default=0.0), max(everything, default=1.0)
    stretch = math.log if low > 0 and high >= 4 * low else float
    start, extent = stretch(low), (stretch(high) - stretch(low)) or 1.0
    named = options if "values" in choice else [low, high]
    return [(stretch(value) - start) / extent for value in values], {
        in_short(value): (stretch(value) - start) / extent for value in named
    }


def _axis(axes: Axes, at: int, name: str, ticks: dict[str, float]) -> None:
    axes.plot([at, at], [0, 1], color=QUIET, linewidth=1, zorder=0)
    axes.text(at, -0.1, name, ha="center", va="top", fontsize=9, color=INK, weight="bold")
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
    for label, height in ticks.items():
        axes.text(at + 0.04, height, label, ha="left", va="center", fontsize=7.5, color=INK, bbox=box, zorder=3)


def _label(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _rows(trials: Trials, results: Sequence[Result]) -> list[list[Any]]:
    names = list(trials.sweep.parameters)
    head: list[Any] = ["trial", "state", trials.sweep.metric, "batch_step", *names, "note"]
    return [
        head,
        *(
            [one.trial.name, one.trial.state, one.value, one.batch_step, *map(one.trial.parameters.get, names), one.trial.note]
            for one in results
        ),
    ]
