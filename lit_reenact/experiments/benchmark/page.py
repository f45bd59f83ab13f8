"""The page of a benchmark: the table, each clip's values, and all methods side by side."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from lit_reenact.evaluation.page import page, section, video
from lit_reenact.evaluation.table import METRICS, word_table
from lit_reenact.experiments.benchmark.comparison import Results
from lit_reenact.experiments.benchmark.videos import ClipVideo
from lit_reenact.experiments.benchmark.writing import cells, clip_cells, heads
from lit_reenact.provenance import code_version

MOST_BYTES = 8 * 2**20
"""Largest video that the page carries itself; a larger one is a link."""


def render_page(results: Results) -> str:
    """Return the page as HTML, which needs no other file."""
    name = results.plan.benchmark.file.stem
    header = f'<header><h1>{escape(name)}</h1><p class="quiet">{escape(results.note)}</p></header>'
    columns = [["", *heads(results)], *([row.entry.name, *cells(results, row)] for row in results.rows)]
    table = word_table(list(zip(*columns, strict=True)))  # methods beside each other: there are fewer of them than metrics
    parts = [header, section("Methods", table, _problems(results))]
    if len(results.plan.targets) > 1:
        tables = [
            f"<h3>{escape(METRICS[metric].name)} {METRICS[metric].arrow}</h3>"
            + word_table([["", *results.plan.targets], *clip_cells(results, metric)])
            for metric in results.metrics
        ]
        parts.append(section("Each clip", *tables))
    parts.append(section("Side by side", *(_video(clip, one) for clip, one in results.videos.items())))
    return page(name, [*parts, f'<p class="quiet">lit_reenact {escape(code_version())}</p>'])


def _video(clip: str, one: ClipVideo) -> str:
    columns = " | ".join(["real", *one.methods])
    shown = video(one.path, MOST_BYTES)
    if shown.startswith("<p>"):  # the video lies in a folder of its own, beside the page
        shown = f'<p><a href="videos/{quote(one.path.name)}">{escape(one.path.name)}</a>, too large to embed</p>'
    return f"<h3>{escape(clip)}</h3><p>{escape(columns)}</p>{shown}"


def _problems(results: Results) -> str:
    problems = [f"{row.entry.name}, {problem}" for row in results.rows for problem in row.entry.problem_list]
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return f"<h3>What is missing</h3><ul>{items}</ul>" if problems else ""
