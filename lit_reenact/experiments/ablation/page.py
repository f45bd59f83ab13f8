"""The page of a study: both tables, a figure for each question, and the training curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from lit_reenact.core.files import write_text
from lit_reenact.evaluation.charts import Line, line_chart
from lit_reenact.evaluation.interval_charts import Bar, IntervalChart, picture_file
from lit_reenact.evaluation.page import page, section
from lit_reenact.evaluation.table import METRICS, Metric
from lit_reenact.evaluation.training_log import Curve, read_training_log
from lit_reenact.experiments.ablation.table import Row, Table
from lit_reenact.experiments.ablation.writing import MAIN_METRICS, difference_text, people_lines, value_text
from lit_reenact.provenance import code_version
from lit_reenact.training.run_folder import RunFolder

CURVES = {"val/face_l1": "Face L1 of validation frames", "loss/l1": "L1 of training frames"}
"""Logged values that can be drawn as training curves, the preferred one first. Short trainings are validated only once."""

COLOURS = ("var(--ink)", "var(--output)", "var(--third)", "var(--warm)", "var(--driving)", "#2a9d6f", "#b0457b", "#1f7a99")


@dataclass(frozen=True)
class Curves:
    """Training curves of several ablations.

    Attributes:
        title: name of the value that is drawn.
        by_ablation: ablation to the curve of each seed.
    """

    title: str
    by_ablation: Mapping[str, Sequence[Curve]]


def read_curves(runs: Mapping[str, Sequence[RunFolder]]) -> Curves:
    """Read the training curves of the runs that logged one.

    Args:
        runs: ablation to the folders of its runs.
    """
    logs = {name: [read_training_log(run.metrics) for run in folders] for name, folders in runs.items()}
    for key, title in CURVES.items():
        by_ablation = {name: [log[key] for log in seeds if key in log] for name, seeds in logs.items()}
        if any(by_ablation.values()):
            return Curves(title, {name: curves for name, curves in by_ablation.items() if curves})
    return Curves("", {})


def write_page(table: Table, curves: Curves, folder: Path) -> None:
    """Write ``report.html``, which is self-contained and makes no request, and ``figures/QUESTION.svg``."""
    title = f"{table.facts['target']}: ablations"
    figures = {question: _figures(table.rows, question) for question in questions(table)}
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for question, charts in figures.items():
        write_text(folder / "figures" / f"{question.replace(' ', '_')}.svg", picture_file(f"{title}, {question}", charts))
    asked = [_question(table.rows, question, charts, curves) for question, charts in figures.items()]
    write_text(folder / "report.html", page(title, [_header(title, table), _tables(table), *asked, _facts(table)]))


def questions(table: Table) -> list[str]:
    """Return the questions that measured ablations answer, in the order of the table."""
    return list(dict.fromkeys(row.entry.question for row in table.rows[1:] if row.entry.question and row.metrics))


def _figures(rows: Sequence[Row], question: str) -> list[IntervalChart]:
    asked = [row for row in rows[1:] if row.entry.question == question and row.metrics]
    return [_figure(name, asked, rows[0]) for name in MAIN_METRICS if name in rows[0].metrics]


def _figure(name: str, rows: Sequence[Row], reference: Row) -> IntervalChart:
    """Draw the differences of ablations to the reference in one metric, with a ring for each seed or person."""
    metric = METRICS[name]
    title = f"{metric.name}, difference to {reference.entry.name}"
    return IntervalChart(title, {row.entry.name: _bar(row, name, reference) for row in rows}, _side(metric))


def _side(metric: Metric) -> str:
    if metric.ideal is not None:
        return f"wanted is a value of {metric.ideal:g}"
    return f"better on the {'left' if metric.less_is_better else 'right'}"


def _bar(row: Row, name: str, reference: Row) -> Bar:
    summary = row.metrics[name]
    if summary.difference is None:
        return Bar(math.nan, math.nan, math.nan)
    if summary.people:
        return Bar(*summary.difference, [one.difference.value for one in summary.people.values() if one.difference])
    base = dict(zip(reference.entry.seeds, reference.metrics[name].seeds, strict=True))
    seeds = [seed for seed in row.entry.seeds if seed in base]
    marks = [value - base[seed] for seed, value in zip(seeds, summary.seeds, strict=True)]
    return Bar(*summary.difference, marks if row.entry.is_trained else ())


def _header(title: str, table: Table) -> str:
    return f'<header><h1>{escape(title)}</h1><p class="quiet">{escape(table.facts["note"])}</p></header>'


def _tables(table: Table) -> str:
    names = [name for name in MAIN_METRICS if any(name in row.metrics for row in table.rows)]
    values = [_row(row, [value_text(row, name) for name in names]) for row in table.rows]
    differences = [_row(row, [difference_text(row, name) for name in names]) for row in table.rows[1:]]
    people = [_line(*line) for line in people_lines(table, names)]
    missing = [f"<li>{escape(f'{row.entry.name}, {why}')}</li>" for row in table.rows for why in row.entry.problem_list]
    return section(
        "Results",
        "<h3>Values</h3>",
        _table(names, values),
        f"<h3>Differences to {table.rows[0].entry.name}</h3>",
        _table(names, differences),
        f"<h3>Each person</h3>{_table(names, people)}" if people else "",
        f"<h3>What is missing</h3><ul>{''.join(missing)}</ul>" if missing else "",
    )


def _table(names: Sequence[str], lines: Sequence[str]) -> str:
    heads = "".join(f"<th>{METRICS[name].name} {METRICS[name].arrow}</th>" for name in names)
    return f'<div class="wide"><table><thead><tr><th></th>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _row(row: Row, cells: Sequence[str]) -> str:
    return _line(row.entry.name, ", ".join(f"{name}: {value}" for name, value in row.entry.changes.items()), cells)


def _line(name: str, below: str, cells: Sequence[str]) -> str:
    """Return a table row whose cells show a value in large print and the rest of the cell's text in small print below."""
    columns = []
    for cell in cells:
        value, _, rest = cell.partition(" ")
        columns.append(f"<td>{escape(value)}<small>{escape(rest)}</small></td>")
    return f"<tr><td>{escape(name)}<small>{escape(below)}</small></td>{''.join(columns)}</tr>"


def _question(rows: Sequence[Row], question: str, charts: Sequence[IntervalChart], curves: Curves) -> str:
    asked = [rows[0].entry.name, *(row.entry.name for row in rows[1:] if row.entry.question == question)]
    drawn = [name for name in asked if name in curves.by_ablation]
    lines = {name: _mean_line(curves.by_ablation[name], COLOURS[number % len(COLOURS)]) for number, name in enumerate(drawn)}
    figures = [chart.figure() for chart in charts]
    if len(lines) > 1:
        figures.append(line_chart(f"{curves.title} during training; bands hold all seeds", lines, "batch steps"))
    return section(question.capitalize(), f'<div class="charts">{"".join(figures)}</div>')


def _mean_line(curves: Sequence[Curve], colour: str) -> Line:
    """Return the mean of the seeds at the steps that all of them have, with a band from the smallest to the largest value."""
    by_step = [dict(zip(*curve, strict=True)) for curve in curves]
    steps = sorted(set.intersection(*(set(curve) for curve in by_step)))
    values = [[curve[step] for curve in by_step] for step in steps]
    mean = [sum(row) / len(row) for row in values]
    return Line(steps, mean, colour, low=[min(row) for row in values], high=[max(row) for row in values])


def _facts(table: Table) -> str:
    facts = {name: str(value) for name, value in table.facts.items() if name not in ("note", "people")}
    facts |= {person: f"{clip['target']}, frames {clip['frames']}" for person, clip in table.facts.get("people", {}).items()}
    facts["software"] = f"lit_reenact {code_version()}"
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return section("This study", f'<dl class="facts">{items}</dl>')
