"""The files of an evaluation of several people: ``people.json``, ``people.csv`` and ``report.html``."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from lit_reenact.core.files import write_json, write_text
from lit_reenact.evaluation.intervals import LEVEL, SAMPLES, Estimate
from lit_reenact.evaluation.page import page, section
from lit_reenact.evaluation.people_results import PeopleResults
from lit_reenact.evaluation.statistics import Summary
from lit_reenact.evaluation.table import (
    CLAIMS,
    METRICS,
    differences_table,
    metrics_table,
    motion_table,
    number,
    text_table,
    word_table,
)

PEOPLE_FILES = ("people.json", "people.csv", "report.html")


def write_people(results: PeopleResults, folder: Path) -> None:
    """Write the three files; the same evaluations give the same files, byte for byte."""
    any_person = next(iter(results.people.values()))
    facts = {
        "people": {
            name: {"target": one.target, "origin": one.origin, "frames": [one.frames.start, one.frames.stop]}
            for name, one in results.people.items()
        },
        "protocol": any_person.protocol,
        "matted": any_person.matted,
        "size": any_person.size,
        "interval": {"level": LEVEL, "samples": SAMPLES},
        "methods": _plain_rows(results.methods),
        "motion": _plain_rows(results.motion),
        "differences": {method: _plain_differences(row) for method, row in results.differences.items()},
    }
    write_json(folder / "people.json", facts)
    write_text(folder / "people.csv", _csv(results))
    write_text(folder / "report.html", _page(results))


def people_text(results: PeopleResults) -> str:
    """Return the table of means for a terminal, and the sentence that explains it."""
    return f"{text_table(_means(results.methods))}\n{_note(results)}"


def _note(results: PeopleResults) -> str:
    any_person = next(iter(results.people.values()))
    matted = ", matted: the person on white" if any_person.matted else ""
    note = (
        f"Means over {len(results.people)} people ({', '.join(results.people)}), {any_person.protocol}{matted}, at "
        f"{any_person.size} pixels, with 95 % confidence intervals for people like these (hierarchical bootstrap of people and "
        "blocks of frames, at least Student's t interval over the people)."
    )
    return note if len(results.people) >= 5 else f"{note} So few people say little about others: the intervals are wide."


def _means(methods: Mapping[str, Mapping[str, Summary]]) -> dict[str, dict[str, Estimate]]:
    return {method: {name: summary.mean for name, summary in row.items()} for method, row in methods.items()}


def _differences(results: PeopleResults) -> dict[str, dict[str, Estimate]]:
    return {
        method: {name: summary.difference for name, summary in row.items() if summary.difference is not None}
        for method, row in results.differences.items()
    }


def _plain_rows(methods: Mapping[str, Mapping[str, Summary]]) -> dict[str, Any]:
    return {
        method: {
            name: {
                **_plain(summary.mean),
                "deviation_over_people": _finite(summary.deviation),
                "people": {person: _plain(one.mean) for person, one in summary.people.items()},
            }
            for name, summary in row.items()
        }
        for method, row in methods.items()
    }


def _plain_differences(row: Mapping[str, Summary]) -> dict[str, Any]:
    return {
        name: {
            **_plain(summary.difference),
            "people": {person: _plain(one.difference) for person, one in summary.people.items() if one.difference is not None},
        }
        for name, summary in row.items()
        if summary.difference is not None
    }


def _plain(value: Estimate) -> dict[str, float | None]:
    return {"mean": _finite(value.value), "low": _finite(value.low), "high": _finite(value.high)}


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _csv(results: PeopleResults) -> str:
    """Return a line for each method and metric; a difference is the model's value less the method's."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    people = list(results.people)
    columns = ["mean", "low", "high", "deviation_over_people", "difference", "difference_low", "difference_high"]
    writer.writerow(["method", "metric", *columns, *people, *(f"{person} difference" for person in people)])
    for method, metrics in results.methods.items():
        for name, summary in {**metrics, **results.motion.get(method, {})}.items():
            against = results.differences.get(method, {}).get(name)
            difference = None if against is None else against.difference
            values = [*summary.mean, summary.deviation, *(difference or (math.nan,) * 3)]
            values += [summary.people[person].mean.value for person in people]
            values += [_of_person(against, person) for person in people]
            writer.writerow([method, name, *(f"{value:.6g}" if math.isfinite(value) else "" for value in values)])
    return file.getvalue()


def _of_person(summary: Summary | None, person: str) -> float:
    one = None if summary is None else summary.people[person].difference
    return math.nan if one is None else one.value


def _page(results: PeopleResults) -> str:
    title = f"{len(results.people)} people: held-out frames"
    header = f'<header><h1>{escape(title)}</h1><p class="quiet">{escape(_note(results))}</p></header>'
    links = "".join(f'<li><a href="{escape(name)}/report.html">{escape(name)}</a></li>' for name in results.people)
    parts = [
        section("Means over people", metrics_table(_means(results.methods))),
        section("How far the model is ahead", differences_table(_differences(results))),
        *([section("Motion, tracked again", motion_table(_means(results.motion)))] if results.motion else []),
        section("Each person", *(_each(results, name) for name in CLAIMS), f"<ul>{links}</ul>"),
    ]
    return page(title, [header, *parts])


def _each(results: PeopleResults, name: str) -> str:
    """Return the table of one metric, with a row for each method and a column for each person."""
    metric = METRICS[name]
    rows = [
        [method, *(number(one.mean.value, metric.decimals) for one in row[name].people.values())]
        for method, row in results.methods.items()
    ]
    return f"<h3>{escape(metric.name)}</h3>{word_table([['', *results.people], *rows])}"
