"""Confidence intervals for a comparison of trainings, over random seeds and over held-out frames.

A value of an ablation is the mean over its seeds. It varies for two reasons:

* the trainings: measured by the standard deviation s of the n seeds' values;
* the frames: measured by the moving-block bootstrap over the frames of the held-out part, which all seeds share.

A difference to the reference is taken seed by seed, on the same frames, so that the difficulty of a frame and the luck of an
initialisation cancel out. Its interval is ``d +- sqrt(t(n - 1)^2 s^2 / n + t(m - 1)^2 b^2)``, with s the standard deviation of
the n differences, b the bootstrap's standard error of their mean, m the number of its blocks, and t(f) Student's quantile for f
degrees of freedom. With only one of the two parts, this is its own t interval. With one seed the first part is unknown and left
out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from scipy.stats import t as student
from torch import Tensor

from lit_reenact.evaluation.intervals import LEVEL, STATISTICS, Estimate, block_bootstrap, block_length, only

NORMAL = 1.959964
"""Half the width of the interval that holds 95 % of a normal distribution, in standard deviations."""


class Summary(NamedTuple):
    """One metric of an ablation, on one person or on several (``people.summarise_people``).

    Attributes:
        mean: mean over seeds, with the confidence interval over frames; with several people, mean over people and seeds, with
            the interval over people, seeds and frames.
        seeds: value of each seed; empty with several people.
        deviation: standard deviation of the seeds' values, or of the people's values if there are several; NaN for a single one.
        difference: difference to the reference, with the interval over seeds and frames, or over people, seeds and frames if
            there are several people; None for the reference itself.
        people: person to that person's own summary; empty with one person.
    """

    mean: Estimate
    seeds: tuple[float, ...]
    deviation: float
    difference: Estimate | None
    people: Mapping[str, Summary] = MappingProxyType({})


def summarise(name: str, runs: Sequence[Tensor], reference: Sequence[Tensor] | None, fps: float) -> Summary:
    """Summarise a metric of an ablation's runs, and compare it with the reference.

    Args:
        name: name of the metric.
        runs: values of all frames for each seed, (N,) or (N, K), NaN where there is none.
        reference: the reference's values of all frames for the same seeds; None for the reference itself.
        fps: frames per second.
    """
    rows, values_of = _together(name, runs)
    values = values_of(rows.mean(0))
    low, high = _bootstrap(rows, fps, lambda means: values_of(means).mean(-1))
    overall = Estimate(float(values.mean()), low, high)
    difference = None if reference is None else _difference(name, runs, reference, fps)
    return Summary(overall, tuple(values.tolist()), float(values.std()) if len(runs) > 1 else math.nan, difference)


def _difference(name: str, runs: Sequence[Tensor], reference: Sequence[Tensor], fps: float) -> Estimate:
    rows, values_of = _together(name, [*runs, *reference])
    count = len(runs)

    def differences(means: Tensor) -> Tensor:
        values = values_of(means)
        return values[..., :count] - values[..., count:]

    each = differences(rows.mean(0))
    low, high = _bootstrap(rows, fps, lambda means: differences(means).mean(-1))
    by_frames = ((high - low) / (2 * NORMAL)) ** 2
    by_seeds = float(each.var()) / count if count > 1 else 0.0
    blocks = len(rows) / block_length(fps, len(rows)) if len(rows) else 1.0
    reach = math.hypot(_reach(by_seeds, count), _reach(by_frames, blocks))
    value = float(each.mean())
    return Estimate(value, value - reach, value + reach)


def _reach(square: float, drawn: float) -> float:
    """Return half the width of the t interval of a mean of ``drawn`` draws, from its squared standard error."""
    return float(student.ppf((1 + LEVEL) / 2, drawn - 1)) * math.sqrt(square) if square else 0.0


def _together(name: str, runs: Sequence[Tensor]) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Return columns (M, n * K) of the M frames with a value in all runs, and the function from their means to (..., n)."""
    count, statistic = len(runs), STATISTICS.get(name, only)
    rows = torch.cat([run.double().reshape(len(run), -1) for run in runs], 1)
    rows = rows[rows.isfinite().all(1)]

    def values(means: Tensor) -> Tensor:
        return torch.stack([statistic(part) for part in means.chunk(count, -1)], -1)

    return rows, values


def _bootstrap(rows: Tensor, fps: float, statistic: Callable[[Tensor], Tensor]) -> tuple[float, float]:
    if not len(rows):
        return math.nan, math.nan
    return block_bootstrap(rows, block_length(fps, len(rows)), statistic=statistic)
