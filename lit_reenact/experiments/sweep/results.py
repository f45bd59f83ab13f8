"""The results of a sweep: a table ordered by the metric, for people and as CSV, and a picture of all trials."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from lit_reenact.core.files import atomic_output, write_text
from lit_reenact.experiments.sweep.definition import shorten
from lit_reenact.experiments.sweep.picture import draw
from lit_reenact.experiments.sweep.trials import PICTURE, TABLE, Result, Trials

BESIDE = ("val/face_l1", "val/lpips")
"""Logged values that the table shows at the best batch step, whichever of all is the metric."""


def rank_trials(trials: Trials) -> list[Result]:
    """Return the best value of each trial, the best trial first, those without a value last."""
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
        The results of ``rank_trials``.
    """
    results = rank_trials(trials)
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows(_rows(trials, results))
    write_text(trials.folder / TABLE, table.getvalue())
    with atomic_output(trials.folder / PICTURE) as partial:
        draw(trials.sweep, results).savefig(partial, format="png", dpi=150)
    return results


def text_table(trials: Trials, results: Sequence[Result]) -> str:
    """Return the table for a terminal."""
    rows = [["-" if cell is None else shorten(cell) for cell in row] for row in _rows(trials, results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _rows(trials: Trials, results: Sequence[Result]) -> list[list[Any]]:
    names = list(trials.sweep.parameters)
    beside = [name for name in BESIDE if name != trials.sweep.metric]
    head: list[Any] = ["trial", "state", trials.sweep.metric, *beside, "batch_step", "protocol", *names, "note"]
    rows = [head]
    for result in results:
        trial = result.trial
        curves = trials.curves(trial)
        others = [curves.get(name, {}).get(-1 if result.batch_step is None else result.batch_step) for name in beside]
        measured = [trial.name, trial.state, result.value, *others, result.batch_step, trials.sweep.protocol]
        rows.append([*measured, *map(trial.parameters.get, names), trial.note])
    return rows
