"""The table of a study as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from lit_reenact.core.files import write_json, write_text
from lit_reenact.evaluation.intervals import Estimate
from lit_reenact.evaluation.statistics import Summary
from lit_reenact.evaluation.table import METRICS, Metric, number
from lit_reenact.experiments.ablation.table import Row, Table

MAIN_METRICS = ("face_l1", "face_ssim", "mouth_l1", "eyes_l1", "warped_error")
"""Metrics in the tables that people read; the CSV and JSON files hold all."""


def write_tables(table: Table, folder: Path) -> None:
    """Write ``table.csv`` (one line per metric), ``table.json`` and ``table.md``; equal results give equal bytes."""
    write_text(folder / "table.csv", _csv(table))
    write_json(folder / "table.json", {**table.facts, "rows": [_plain(row) for row in table.rows]})
    write_text(folder / "table.md", markdown(table))


def _csv(table: Table) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    columns = ("mean", "low", "high", "deviation_over_seeds", "difference", "difference_low", "difference_high")
    writer.writerow(["ablation", "question", "seeds", "metric", *columns, "problems"])
    for row in table.rows:
        entry, problems = row.entry, "; ".join(row.entry.problem_list)
        seeds = " ".join(map(str, sorted(entry.runs)))
        if not row.metrics:
            writer.writerow([entry.name, entry.question, seeds, *[""] * 8, problems])
        for name, summary in row.metrics.items():
            values = (*summary.mean, summary.deviation, *(summary.difference or (math.nan,) * 3))
            cells = [f"{value:.6g}" if math.isfinite(value) else "" for value in values]
            writer.writerow([entry.name, entry.question, seeds, name, *cells, problems])
    return file.getvalue()


def _plain(row: Row) -> dict[str, Any]:
    entry = row.entry
    return {
        "ablation": entry.name,
        "question": entry.question,
        "changes": dict(entry.changes),
        "seeds": sorted(entry.runs),
        "problems": {str(seed): reason for seed, reason in entry.problems.items()},
        "metrics": {name: _numbers(summary) for name, summary in row.metrics.items()},
    }


def _numbers(summary: Summary) -> dict[str, Any]:
    return {
        **_estimate(summary.mean),
        "seeds": [_finite(value) for value in summary.seeds],
        "deviation_over_seeds": _finite(summary.deviation),
        "difference": None if summary.difference is None else _estimate(summary.difference),
    }


def _estimate(value: Estimate) -> dict[str, float | None]:
    return {"mean": _finite(value.value), "low": _finite(value.low), "high": _finite(value.high)}


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def markdown(table: Table) -> str:
    """Return both tables for people: values, and differences to the reference."""
    metrics = [METRICS[name] for name in MAIN_METRICS]
    heads = [f"{metric.name} {'↓' if metric.less_is_better else '↑'}" for metric in metrics]
    lines = [f"# {table.facts['target']}: ablations", "", str(table.facts["note"]), ""]
    lines += ["## Values", "", *_heading("", "seeds", *heads)]
    lines += [_line(row.entry.name, _seeds(row), *(value_text(row, name) for name in MAIN_METRICS)) for row in table.rows]
    lines += ["", f"## Differences to {table.rows[0].entry.name}", "", *_heading("", *heads)]
    lines += [_line(row.entry.name, *(difference_text(row, name) for name in MAIN_METRICS)) for row in table.rows[1:]]
    problems = [f"* {row.entry.name}, {problem}" for row in table.rows for problem in row.entry.problem_list]
    return "\n".join([*lines, *(["", "## What is missing", "", *problems] if problems else []), ""])


def value_text(row: Row, name: str) -> str:
    """Return a metric's mean, deviation over seeds, and confidence interval over frames; "-" if it was not measured."""
    summary, metric = row.metrics.get(name), METRICS[name]
    if summary is None:
        return "-"
    value, low, high = (number(one, metric.decimals) for one in summary.mean)
    has_spread = row.entry.is_trained and math.isfinite(summary.deviation)
    return f"{value}{f' ± {number(summary.deviation, metric.decimals)}' if has_spread else ''} [{low}, {high}]"


def difference_text(row: Row, name: str) -> str:
    """Return a metric's difference to the reference, its confidence interval, and the rating; "-" if there is none."""
    summary, metric = row.metrics.get(name), METRICS[name]
    if summary is None or summary.difference is None:
        return "-"
    value, low, high = (_signed(one, metric) for one in summary.difference)
    return f"{value} [{low}, {high}] {rate_difference(summary.difference, metric)}".strip()


def rate_difference(difference: Estimate, metric: Metric) -> str:
    """Return ``better`` or ``worse``, or nothing if the confidence interval contains 0."""
    if not difference.low * difference.high > 0:
        return ""
    return "better" if (difference.value < 0) == metric.less_is_better else "worse"


def _signed(value: float, metric: Metric) -> str:
    return "-" if not math.isfinite(value) else f"{value:+.{metric.decimals}f}"


def _seeds(row: Row) -> str:
    return str(len(row.entry.runs)) if row.entry.is_trained else ""


def _heading(*heads: str) -> list[str]:
    return [_line(*heads), _line(*["---"] * len(heads))]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
