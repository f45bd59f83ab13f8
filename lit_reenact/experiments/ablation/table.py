"""The table of a study: the results of each ablation and baseline, and their differences to the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lit_reenact.evaluation.statistics import Summary, summarise
from lit_reenact.evaluation.table import METRICS

Series = Mapping[str, Tensor]
"""Metric to the value of each frame."""


@dataclass(frozen=True)
class Entry:
    """Measurements of an ablation or a baseline.

    Attributes:
        name: name of the ablation or baseline.
        question: question that it belongs to.
        changes: settings of the ablation that differ from the base.
        runs: seed to the measurements of that run. A baseline learns nothing and has one series for all seeds.
        problems: seed to the reason why that run is missing.
        is_trained: True for an ablation, False for a baseline.
    """

    name: str
    question: str
    changes: Mapping[str, Any]
    runs: Mapping[int, Series]
    problems: Mapping[int, str]
    is_trained: bool = True

    @property
    def problem_list(self) -> list[str]:
        """Every reason once, with the seeds that it applies to."""
        by_reason: dict[str, list[int]] = {}
        for seed, reason in sorted(self.problems.items()):
            by_reason.setdefault(reason, []).append(seed)
        return [f"seed {', '.join(map(str, seeds))}: {reason}" for reason, seeds in by_reason.items()]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        entry: the ablation or baseline.
        metrics: metric to its summary over frames and seeds; empty if no run was measured.
    """

    entry: Entry
    metrics: Mapping[str, Summary]


@dataclass(frozen=True)
class Table:
    """Results of a study.

    Attributes:
        facts: description of the comparison, as plain values.
        rows: the reference first, the baselines last.
    """

    facts: Mapping[str, Any]
    rows: Sequence[Row]


def make_row(entry: Entry, reference: Entry, fps: float) -> Row:
    """Summarise an entry. Differences are taken over the seeds that the reference has, too.

    Args:
        entry: the entry to summarise.
        reference: the entry to compare with; may be ``entry`` itself.
        fps: frames per second of the clip.
    """
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
