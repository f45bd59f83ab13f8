"""The table of a study: what each ablation reached, and how it differs from the reference, as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lit_reenact.core.files import write_text
from lit_reenact.evaluation.intervals import Estimate
from lit_reenact.evaluation.statistics import Summary, summarise
from lit_reenact.evaluation.table import METRICS, Metric, number

SHOWN = ("face_l1", "face_ssim", "mouth_l1", "eyes_l1", "warped_error")
"""Metrics in the tables that people read; the files hold all."""

Series = Mapping[str, Tensor]
"""Metric to the value of each frame."""


@dataclass(frozen=True)
class Entry:
    """What there is of an ablation, or a baseline.

    Attributes:
        name: of it.
        question: that it asks.
        changes: its settings.
        runs: seed to what was measured of it; of a baseline, which learns nothing, the same for all seeds.
        problems: seed to why there is nothing.
        trained: whether it is no baseline.
    """

    name: str
    question: str
    changes: Mapping[str, Any]
    runs: Mapping[int, Series]
    problems: Mapping[int, str]
    trained: bool = True


@dataclass(frozen=True)
class Row:
    """A line of the table: the entry, and of each metric what it amounts to."""

    entry: Entry
    metrics: Mapping[str, Summary]


@dataclass(frozen=True)
class Table:
    """A study's results.

    Attributes:
        facts: what was compared, as plain values.
        rows: the reference first, the baselines last.
    """

    facts: Mapping[str, Any]
    rows: Sequence[Row]


def make_row(entry: Entry, reference: Entry, fps: float) -> Row:
    """Sum an entry up. Differences are taken over the seeds that the reference has, too."""
    if not entry.runs:
        return Row(entry, {})
    both = sorted(entry.runs.keys() & reference.runs.keys())
    first = next(iter(entry.runs.values()))
    summaries = {}
    for name in first:
        if name not in METRICS:
            continue
        against = [reference.runs[seed][name] for seed in both if name in reference.runs[seed]]
        alone = entry is reference or len(against) < len(both) or not both
        seeds = sorted(entry.runs) if alone else both
        runs = [entry.runs[seed][name] for seed in seeds]
        summaries[name] = summarise(name, runs, None if alone else against, fps)
    return Row(entry, summaries)


def write_tables(table: Table, folder: Path) -> None:
    """Write ``table.csv`` (a line a metric), ``table.json`` and ``table.md``; the same results give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "table.csv", _csv(table))
    write_text(folder / "table.json", json.dumps({**table.facts, "rows": [_plain(row) for row in table.rows]}, indent=2) + "\n")
    write_text(folder / "table.md", markdown(table))


def _csv(table: Table) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    columns = ("mean", "low", "high", "deviation_over_seeds", "difference", "difference_low", "difference_high")
    writer.writerow(["ablation", "question", "seeds", "metric", *columns, "problems"])
    for row in table.rows:
        entry, problems = row.entry, "; ".join(told(row.entry.problems))
        seeds = " ".join(map(str, sorted(entry.runs)))
        if not row.metrics:
            writer.writerow([entry.name, entry.question, seeds, *[""] * 8, problems])
        for name, summary in row.metrics.items():
            values = (*summary.over_frames, summary.deviation, *(summary.difference or (math.nan,) * 3))
            shown = [f"{value:.6g}" if math.isfinite(value) else "" for value in values]
            writer.writerow([entry.name, entry.question, seeds, name, *shown, problems])
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
        **_estimate(summary.over_frames),
        "seeds": [_finite(value) for value in summary.seeds],
        "deviation_over_seeds": _finite(summary.deviation),
        "difference": None if summary.difference is None else _estimate(summary.difference),
    }


def _estimate(value: Estimate) -> dict[str, float | None]:
    return {"mean": _finite(value.value), "low": _finite(value.low), "high": _finite(value.high)}


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def markdown(table: Table) -> str:
    """Both tables for people: values, and differences to the reference."""
    metrics = [METRICS[name] for name in SHOWN]
    heads = [f"{metric.name} {'↓' if metric.less_is_better else '↑'}" for metric in metrics]
    lines = [f"# {table.facts['target']}: ablations", "", str(table.facts["note"]), ""]
    lines += ["## Values", "", *_heading("", "seeds", *heads)]
    lines += [_line(row.entry.name, _seeds(row), *(value_text(row, name) for name in SHOWN)) for row in table.rows]
    lines += ["", f"## Differences to {table.rows[0].entry.name}", "", *_heading("", *heads)]
    lines += [_line(row.entry.name, *(difference_text(row, name) for name in SHOWN)) for row in table.rows[1:]]
    problems = [f"* {row.entry.name}, {problem}" for row in table.rows for problem in told(row.entry.problems)]
    return "\n".join([*lines, *(["", "## What is missing", "", *problems] if problems else []), ""])


def value_text(row: Row, name: str) -> str:
    """Mean, deviation over seeds, and interval over frames."""
    summary, metric = row.metrics.get(name), METRICS[name]
    if summary is None:
        return "-"
    value, low, high = (number(one, metric.decimals) for one in summary.over_frames)
    spread = f" ± {number(summary.deviation, metric.decimals)}" if row.entry.trained and math.isfinite(summary.deviation) else ""
    return f"{value}{spread} [{low}, {high}]"


def difference_text(row: Row, name: str) -> str:
    """Difference, its interval, and what that says."""
    summary, metric = row.metrics.get(name), METRICS[name]
    if summary is None or summary.difference is None:
        return "-"
    value, low, high = (_signed(one, metric) for one in summary.difference)
    return f"{value} [{low}, {high}] {judged(summary.difference, metric)}".strip()


def judged(difference: Estimate, metric: Metric) -> str:
    """``better`` or ``worse``, if the interval leaves no doubt."""
    if not difference.low * difference.high > 0:
        return ""
    return "better" if (difference.value < 0) == metric.less_is_better else "worse"


def _signed(value: float, metric: Metric) -> str:
    return "-" if not math.isfinite(value) else f"{value:+.{metric.decimals}f}"


def _seeds(row: Row) -> str:
    return str(len(row.entry.runs)) if row.entry.trained else ""


def told(problems: Mapping[int, str]) -> list[str]:
    """Each reason once, with the seeds that it is true of."""
    by_reason: dict[str, list[int]] = {}
    for seed, reason in sorted(problems.items()):
        by_reason.setdefault(reason, []).append(seed)
    return [f"seed {', '.join(map(str, seeds))}: {reason}" for reason, seeds in by_reason.items()]


def _heading(*heads: str) -> list[str]:
    return [_line(*heads), _line(*["---"] * len(heads))]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
