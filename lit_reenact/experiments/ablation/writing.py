"""The table of a study as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_reenact.core.files import write_json, write_text
from lit_reenact.evaluation.intervals import Estimate
from lit_reenact.evaluation.statistics import Summary
from lit_reenact.evaluation.table import METRICS, Metric, number
from lit_reenact.experiments.ablation.table import Row, Table

MAIN_METRICS = (
    "face_l1",
    "face_ssim",
    "mouth_l1",
    "eyes_l1",
    "lpips",
    "face_lpips",
    "face_distance",
    "high_frequency",
    "warped_error",
)
"""Metrics in the tables that people read; the CSV and JSON files hold all."""


def write_tables(table: Table, folder: Path) -> None:
    """Write ``table.csv`` (one line per metric), ``table.json`` and ``table.md``; equal results give equal bytes."""
    write_text(folder / "table.csv", _csv(table))
    write_json(folder / "table.json", {**table.facts, "rows": [_plain(row) for row in table.rows]})
    write_text(folder / "table.md", markdown(table))


def _csv(table: Table) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    people = list(table.facts.get("people", ()))
    spread = "deviation_over_people" if people else "deviation_over_seeds"
    columns = ["mean", "low", "high", spread, "difference", "difference_low", "difference_high"]
    columns += [f"{person}{what}" for person in people for what in ("", " difference")]
    writer.writerow(["ablation", "question", "seeds", "metric", *columns, "problems"])
    for row in table.rows:
        entry, problems = row.entry, "; ".join(row.entry.problem_list)
        seeds = " ".join(map(str, entry.seeds))
        if not row.metrics:
            writer.writerow([entry.name, entry.question, seeds, "", *[""] * len(columns), problems])
        for name, summary in row.metrics.items():
            values = [*summary.mean, summary.deviation, *(summary.difference or (math.nan,) * 3)]
            values += [value for person in people for value in _person_values(summary, person)]
            cells = [f"{value:.6g}" if math.isfinite(value) else "" for value in values]
            writer.writerow([entry.name, entry.question, seeds, name, *cells, problems])
    return file.getvalue()


def _person_values(summary: Summary, person: str) -> tuple[float, float]:
    """Return a person's value and difference to the reference; NaN where there is none."""
    one = summary.people.get(person)
    if one is None:  # nobody else was measured, so the summary is this person's, or this person was not
        return math.nan, math.nan
    return one.mean.value, math.nan if one.difference is None else one.difference.value


def _plain(row: Row) -> dict[str, Any]:
    entry, several = row.entry, len(row.entry.problems) > 1
    problems = {person: {str(seed): why for seed, why in one.items()} for person, one in entry.problems.items()}
    return {
        "ablation": entry.name,
        "question": entry.question,
        "changes": dict(entry.changes),
        "seeds": entry.seeds,
        "problems": problems if several else next(iter(problems.values()), {}),
        "metrics": {name: plain_summary(summary) for name, summary in row.metrics.items()},
    }


def plain_summary(summary: Summary) -> dict[str, Any]:
    """Return a summary as plain values for JSON, those of each person inside."""
    difference = None if summary.difference is None else _estimate(summary.difference)
    if summary.people:
        people = {person: plain_summary(one) for person, one in summary.people.items()}
        return {
            **_estimate(summary.mean),
            "deviation_over_people": _finite(summary.deviation),
            "difference": difference,
            "people": people,
        }
    return {
        **_estimate(summary.mean),
        "seeds": [_finite(value) for value in summary.seeds],
        "deviation_over_seeds": _finite(summary.deviation),
        "difference": difference,
    }


def _estimate(value: Estimate) -> dict[str, float | None]:
    return {"mean": _finite(value.value), "low": _finite(value.low), "high": _finite(value.high)}


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def markdown(table: Table) -> str:
    """Return the tables to read: values, differences to the reference, and each person's values if there are several people."""
    metrics = [METRICS[name] for name in MAIN_METRICS]
    heads = [f"{metric.name} {metric.arrow}" for metric in metrics]
    lines = [f"# {table.facts['target']}: ablations", "", str(table.facts["note"]), ""]
    lines += ["## Values", "", *_heading("", "seeds", *heads)]
    lines += [_line(row.entry.name, _seeds(row), *(value_text(row, name) for name in MAIN_METRICS)) for row in table.rows]
    lines += ["", f"## Differences to {table.rows[0].entry.name}", "", *_heading("", *heads)]
    lines += [_line(row.entry.name, *(difference_text(row, name) for name in MAIN_METRICS)) for row in table.rows[1:]]
    people = [_line(f"{name}, {person}", *cells) for name, person, cells in people_lines(table, MAIN_METRICS)]
    if people:
        lines += ["", f"## Each person (Δ: difference to {table.rows[0].entry.name})", "", *_heading("", *heads), *people]
    problems = [f"* {row.entry.name}, {problem}" for row in table.rows for problem in row.entry.problem_list]
    return "\n".join([*lines, *(["", "## What is missing", "", *problems] if problems else []), ""])


def value_text(row: Row, name: str) -> str:
    """Return a metric's mean, deviation over seeds or people, and confidence interval; "-" if it was not measured."""
    summary = row.metrics.get(name)
    if summary is None:
        return "-"
    return _value(summary, METRICS[name], bool(summary.people) or row.entry.is_trained)


def _value(summary: Summary, metric: Metric, has_spread: bool) -> str:
    value, low, high = (number(one, metric.decimals) for one in summary.mean)
    spread = f" ± {number(summary.deviation, metric.decimals)}" if has_spread and math.isfinite(summary.deviation) else ""
    return f"{value}{spread} [{low}, {high}]"


def difference_text(row: Row, name: str) -> str:
    """Return a metric's difference to the reference, its confidence interval, and the rating; "-" if there is none."""
    summary = row.metrics.get(name)
    return "-" if summary is None or summary.difference is None else _difference(summary.difference, METRICS[name])


def _difference(difference: Estimate, metric: Metric) -> str:
    value, low, high = (_signed(one, metric) for one in difference)
    return f"{value} [{low}, {high}] {rate_difference(difference, metric)}".strip()


def people_lines(table: Table, names: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """Return a line for each row and person: the row's name, the person, and a cell with value and difference for each metric."""
    people = dict.fromkeys(person for row in table.rows for summary in row.metrics.values() for person in summary.people)
    return [
        (row.entry.name, person, [_person_text(row, name, person) for name in names])
        for row in table.rows
        for person in people
        if row.entry.runs.get(person)
    ]


def _person_text(row: Row, name: str, person: str) -> str:
    everybody = row.metrics.get(name)
    summary = None if everybody is None else everybody.people.get(person)
    if summary is None:
        return "-"
    value = _value(summary, METRICS[name], row.entry.is_trained)
    return value if summary.difference is None else f"{value} Δ {_difference(summary.difference, METRICS[name])}"


def rate_difference(difference: Estimate, metric: Metric) -> str:
    """Return ``better`` or ``worse``, or nothing if the confidence interval contains 0 or neither direction is better."""
    if not difference.low * difference.high > 0 or metric.ideal is not None:
        return ""
    return "better" if (difference.value < 0) == metric.less_is_better else "worse"


def _signed(value: float, metric: Metric) -> str:
    return "-" if not math.isfinite(value) else f"{value:+.{metric.decimals}f}"


def _seeds(row: Row) -> str:
    return str(len(row.entry.seeds)) if row.entry.is_trained else ""


def _heading(*heads: str) -> list[str]:
    return [_line(*heads), _line(*["---"] * len(heads))]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
