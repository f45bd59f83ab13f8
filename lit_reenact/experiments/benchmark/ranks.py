"""Ranks of the methods of a benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scipy.stats import rankdata

from lit_reenact.evaluation.statistics import Summary
from lit_reenact.evaluation.table import METRICS
from lit_reenact.experiments.ablation.table import Row


def metric_ranks(rows: Sequence[Row], name: str) -> dict[str, float]:
    """Return the mean rank of each method over clips in one metric; 1 is the best, methods that tie share their mean rank.

    A method that was not measured on a clip has no rank there; one without any is missing.

    Args:
        rows: the methods.
        name: name of the metric.
    """
    ranks: dict[str, list[float]] = {}
    for clip in _clips(rows, name):
        values = {row.entry.name: _value(row.metrics[name], clip) for row in rows if name in row.metrics}
        known = {method: value for method, value in values.items() if math.isfinite(value)}
        for method, rank in zip(known, rankdata([METRICS[name].cost(value) for value in known.values()]), strict=True):
            ranks.setdefault(method, []).append(float(rank))
    return {method: sum(own) / len(own) for method, own in ranks.items()}


def mean_ranks(rows: Sequence[Row], names: Sequence[str]) -> dict[str, float]:
    """Return the mean over metrics of each method's ``metric_ranks``."""
    each: dict[str, list[float]] = {}
    for name in names:
        for method, rank in metric_ranks(rows, name).items():
            each.setdefault(method, []).append(rank)
    return {method: sum(own) / len(own) for method, own in each.items()}


def _clips(rows: Sequence[Row], name: str) -> list[str]:
    """Return the clips that the metric was measured on; a single empty name where there is one clip alone."""
    people: Mapping[str, None] = {clip: None for row in rows if name in row.metrics for clip in row.metrics[name].people}
    return list(people) or [""]


def _value(summary: Summary, clip: str) -> float:
    if not clip:
        return summary.mean.value
    own = summary.people.get(clip)
    return math.nan if own is None else own.mean.value
