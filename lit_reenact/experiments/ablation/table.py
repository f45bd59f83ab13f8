"""The table of a study: the results of each ablation and baseline, and their differences to the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lit_reenact.evaluation.people import Runs, summarise_people
from lit_reenact.evaluation.statistics import Summary
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
        runs: person to seed to the measurements of that run. A baseline learns nothing and has one series for all seeds.
        problems: person to seed to the reason why that run is missing.
        is_trained: True for an ablation, False for a baseline.
    """

    name: str
    question: str
    changes: Mapping[str, Any]
    runs: Mapping[str, Mapping[int, Series]]
    problems: Mapping[str, Mapping[int, str]]
    is_trained: bool = True

    @property
    def seeds(self) -> list[int]:
        """Seeds that were measured, of any person."""
        return sorted({seed for runs in self.runs.values() for seed in runs})

    @property
    def problem_list(self) -> list[str]:
        """Every reason of a person once, with the seeds that it applies to; the person is named if there are several."""
        by_reason: dict[tuple[str, str], list[int]] = {}
        for person, problems in self.problems.items():
            for seed, reason in sorted(problems.items()):
                by_reason.setdefault((f"{person}, " if len(self.problems) > 1 else "", reason), []).append(seed)
        return [f"{person}seed {', '.join(map(str, seeds))}: {reason}" for (person, reason), seeds in by_reason.items()]


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


def make_row(entry: Entry, reference: Entry, fps: Mapping[str, float]) -> Row:
    """Summarise an entry. Differences are taken over the people and seeds that the reference has, too.

    Args:
        entry: the entry to summarise.
        reference: the entry to compare with; may be ``entry`` itself.
        fps: person to the frames per second of that person's clip.
    """
    names = dict.fromkeys(name for runs in entry.runs.values() for series in runs.values() for name in series if name in METRICS)
    summaries = {}
    for name in names:
        runs = _runs(entry, name)
        against = {} if entry is reference else _runs(reference, name)
        is_paired = any(seeds.keys() & against.get(person, {}).keys() for person, seeds in runs.items())
        summaries[name] = summarise_people(name, runs, against if is_paired else None, fps)
    return Row(entry, summaries)


def _runs(entry: Entry, name: str) -> Runs:
    return {
        person: {seed: series[name] for seed, series in seeds.items() if name in series} for person, seeds in entry.runs.items()
    }
