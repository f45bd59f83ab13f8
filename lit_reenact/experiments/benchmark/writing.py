"""The table of a benchmark as CSV, JSON, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import math
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lit_reenact.core.files import write_json, write_text
from lit_reenact.evaluation.table import METRICS, best, number
from lit_reenact.experiments.ablation.table import Row
from lit_reenact.experiments.ablation.writing import plain_summary, value_text
from lit_reenact.experiments.benchmark.comparison import Results
from lit_reenact.experiments.benchmark.ranks import metric_ranks

COSTS = {"training_seconds": ("Training, s", 0), "frames_per_second": ("Frames/s", 1), "parameters": ("Weights, M", 1)}
"""Costs by their keys: heading and digits after the point."""

_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_ARROWS = {"↓": r"$\downarrow$", "↑": r"$\uparrow$", "→ 1": r"$\rightarrow 1$"}


def write_tables(results: Results, folder: Path) -> None:
    """Write ``table.csv`` (a line for each method, metric and clip), ``table.json``, ``table.md`` and ``table.tex``."""
    write_text(folder / "table.csv", _csv(results))
    write_json(folder / "table.json", _plain(results))
    write_text(folder / "table.md", markdown(results))
    write_text(folder / "table.tex", latex(results))


def _plain(results: Results) -> dict[str, Any]:
    benchmark = results.plan.benchmark
    return {
        "clips": {clip: [split.test.start, split.test.stop] for clip, split in results.plan.splits.items()},
        "protocol": benchmark.protocol,
        "seeds": benchmark.seeds,
        "steps": benchmark.steps,
        "size": benchmark.size,
        "machine": platform.processor() or platform.machine(),
        "note": results.note,
        "methods": {row.entry.name: _plain_row(results, row) for row in results.rows},
    }


def _plain_row(results: Results, row: Row) -> dict[str, Any]:
    name = row.entry.name
    return {
        "rank": results.ranks.get(name),
        "costs": asdict(results.costs[name]),
        "problems": row.entry.problem_list,
        "metrics": {metric: plain_summary(summary) for metric, summary in row.metrics.items()},
    }


def _csv(results: Results) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["method", "metric", "clip", "mean", "low", "high", "rank"])
    for row in results.rows:
        for name, summary in row.metrics.items():
            ranks = metric_ranks(results.rows, name)
            lines = [("all", summary), *summary.people.items()]
            for clip, one in lines:
                cells = [f"{value:.6g}" if math.isfinite(value) else "" for value in one.mean]
                rank = f"{ranks[row.entry.name]:g}" if clip == "all" and row.entry.name in ranks else ""
                writer.writerow([row.entry.name, name, clip, *cells, rank])
    return file.getvalue()


def heads(results: Results) -> list[str]:
    """Return the headings of the main table, after that of the method."""
    return [
        *(f"{METRICS[name].name} {METRICS[name].arrow}" for name in results.metrics),
        "Rank ↓",
        *(heading for heading, _ in COSTS.values()),
    ]


def cells(results: Results, row: Row) -> list[str]:
    """Return the cells of a method in the main table."""
    return [*(value_text(row, name) for name in results.metrics), *_last_cells(results, row)]


def _last_cells(results: Results, row: Row) -> list[str]:
    costs = asdict(results.costs[row.entry.name])
    costs["parameters"] = None if costs["parameters"] is None else costs["parameters"] / 1e6
    rank = results.ranks.get(row.entry.name)
    return [number(rank, 2), *(number(costs[key], decimals) for key, (_, decimals) in COSTS.items())]


def markdown(results: Results) -> str:
    """Return the main table, and each clip's values if there are several."""
    title = f"# {results.plan.benchmark.file.stem}"
    lines = [
        title,
        "",
        results.note,
        "",
        *_rows(["", *heads(results)], [[row.entry.name, *cells(results, row)] for row in results.rows]),
    ]
    for name in results.metrics if len(results.plan.targets) > 1 else []:
        lines += ["", f"## {METRICS[name].name} of each clip", "", *_rows(["", *results.plan.targets], clip_cells(results, name))]
    problems = [f"* {row.entry.name}, {problem}" for row in results.rows for problem in row.entry.problem_list]
    return "\n".join([*lines, *(["", "## What is missing", "", *problems] if problems else []), ""])


def clip_cells(results: Results, name: str) -> list[list[str]]:
    """Return a metric's value on each clip: a row for each method, which its name begins."""
    decimals = METRICS[name].decimals
    table = []
    for row in results.rows:
        people = row.metrics[name].people if name in row.metrics else {}
        table.append(
            [row.entry.name, *(number(people[c].mean.value, decimals) if c in people else "-" for c in results.plan.targets)]
        )
    return table


def _rows(first: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (first, ["---"] * len(first), *rows)]


def latex(results: Results) -> str:
    """Return the main table for a paper (package booktabs): values without intervals, the best of each column in bold."""
    columns = [_column(results, name) for name in results.metrics]
    rows = [
        [_escape(row.entry.name), *(column[place] for column in columns), *_last_cells(results, row)]
        for place, row in enumerate(results.rows)
    ]
    headings = ["Method", *(_heading(head) for head in heads(results))]
    body = "\n".join(f"    {' & '.join(cell.replace('-', '--') if cell == '-' else cell for cell in row)} \\\\" for row in rows)
    caption = _escape(
        f"{', '.join(results.plan.targets)}, protocol {results.plan.benchmark.protocol}, {results.plan.benchmark.size} pixels"
    )
    return (
        f"% {caption}\n\\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}\n    \\toprule\n    {' & '.join(headings)} \\\\\n"
        f"    \\midrule\n{body}\n    \\bottomrule\n\\end{{tabular}}\n"
    )


def _column(results: Results, name: str) -> list[str]:
    metric = METRICS[name]
    values = [row.metrics[name].mean.value if name in row.metrics else math.nan for row in results.rows]
    winner = best(name, [value for value in values if math.isfinite(value)])
    texts = [number(value, metric.decimals) for value in values]
    return [
        f"\\textbf{{{text}}}" if round(value, metric.decimals) == winner else text
        for value, text in zip(values, texts, strict=True)
    ]


def _heading(text: str) -> str:
    arrow = next((sign for sign in _ARROWS if text.endswith(sign)), "")
    return f"{_escape(text.removesuffix(arrow).strip())} {_ARROWS.get(arrow, '')}".strip()


def _escape(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)
