"""Confidence intervals for a comparison of trainings on several people, by a hierarchical bootstrap.

Each person has trainings of their own. A value is the mean over people of the mean over their seeds; it varies with the people,
with the seeds of each person's trainings, and with the frames of each person's held-out part. A sample of the bootstrap draws the
three in this order, each with replacement: people, seeds of a drawn person, blocks of that person's frames. All seeds of a person
share the drawn frames, and so do the two sides of a difference, which is taken person by person, seed by seed and frame by frame.

Two corrections make the interval as wide as it should be:

* The spread s of the people's values holds the noise w of their seeds and frames already, and drawing seeds and frames as well
  would count it twice. So the people's values are moved towards their mean until a sample's variance is max(s^2, w^2) / P for P
  people (Davison and Hinkley 1997, section 3.8).
* Percentiles of samples of a few people are too narrow. So the interval is never narrower than Student's ``+- t(P - 1) s /
  sqrt(P)``, which is exact for normal values. For two people t is 12.7: two people say little about others, and their own
  intervals (``Summary.people``) say more.

The interval is for people like these; each person's own interval is for that person.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from scipy.stats import t as student
from torch import Tensor

from lit_reenact.evaluation.intervals import LEVEL, SAMPLES, STATISTICS, Estimate, block_length, draw_blocks, only
from lit_reenact.evaluation.statistics import Summary, summarise

Runs = Mapping[str, Mapping[int, Tensor]]
"""Person to seed to the values of all frames of that person's held-out part, (N,) or (N, K), NaN where there is none."""

Sides = Sequence[Sequence[Tensor]]
"""The two sides of a difference, or a single side: the series of each seed."""


def summarise_people(name: str, runs: Runs, reference: Runs | None, fps: Mapping[str, float]) -> Summary:
    """Summarise a metric of an ablation's runs on several people, and compare it with the reference.

    Args:
        name: name of the metric, which decides the statistic of the means.
        runs: series of the ablation by person and seed. Every person has frames of their own; runs of one person share them.
        reference: series of the reference by person and seed; None for the reference itself. People and seeds that only one
            side has are left out.
        fps: person to the frames per second of that person's clip.

    Returns:
        The summary over people; with one person, exactly that of ``summarise``. Where only one of several people has runs on
        both sides, the intervals are that person's.

    Raises:
        ValueError: the two sides have no run in common, or there is no run at all.

    Example:
        >>> summary = summarise_people("face_l1", {"anna": {0: ours}, "ben": {0: others}}, None, {"anna": 25.0, "ben": 30.0})
        >>> summary.mean, summary.people["anna"].mean
    """
    sides = {person: _sides(seeds, None if reference is None else reference.get(person, {})) for person, seeds in runs.items()}
    sides = {person: side for person, side in sides.items() if side[0]}
    if not sides:
        raise ValueError(f"no run of {name} to summarise")
    each = {
        person: summarise(name, side[0], None if reference is None else side[1], fps[person]) for person, side in sides.items()
    }
    if len(each) == 1:
        (alone,) = each.values()
        return alone if len(runs) == 1 else Summary(alone.mean, (), math.nan, alone.difference, each)
    mean = _over_people([one.mean.value for one in each.values()], _draws(name, {p: s[:1] for p, s in sides.items()}, fps))
    values = torch.tensor([one.mean.value for one in each.values()], dtype=torch.float64)
    deviation = float(values[values.isfinite()].std()) if values.isfinite().sum() > 1 else math.nan
    if reference is None:
        return Summary(mean, (), deviation, None, each)
    differences = [one.difference.value for one in each.values() if one.difference is not None]
    return Summary(mean, (), deviation, _over_people(differences, _draws(name, sides, fps)), each)


def _sides(runs: Mapping[int, Tensor], reference: Mapping[int, Tensor] | None) -> Sides:
    """Return the series of the seeds that both sides have."""
    seeds = sorted(runs.keys() if reference is None else runs.keys() & reference.keys())
    sides = [runs] if reference is None else [runs, reference]
    return [[side[seed] for seed in seeds] for side in sides]


def _draws(name: str, sides: Mapping[str, Sides], fps: Mapping[str, float]) -> Tensor:
    """Return values of each person by other seeds and frames: (P, SAMPLES)."""
    return torch.stack([_draw(name, side, fps[person], seed) for seed, (person, side) in enumerate(sides.items())])


def _draw(name: str, sides: Sides, fps: float, seed: int) -> Tensor:
    """Draw seeds and blocks of frames of one person; return the value, or the difference of the two sides, of each draw."""
    columns = [torch.cat([run.double().reshape(len(run), -1) for run in side], 1) for side in sides]
    known = torch.cat(columns, 1).isfinite().all(1)
    frames, seeds = int(known.sum()), len(sides[0])
    if not frames:
        return torch.full((SAMPLES,), math.nan, dtype=torch.float64)
    drawn = draw_blocks(frames, block_length(fps, frames), seed=seed)
    counts = torch.zeros(SAMPLES, frames, dtype=torch.float64).scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
    by_side = [_by_seed(name, counts @ column[known] / frames, seeds) for column in columns]  # (SAMPLES, n) each
    by_seed = by_side[0] - by_side[1] if len(by_side) > 1 else by_side[0]
    value = (by_seed * _seed_weights(seeds, seed)).sum(1)
    return value.where(value.isfinite(), math.nan)


def _by_seed(name: str, means: Tensor, seeds: int) -> Tensor:
    statistic = STATISTICS.get(name, only)
    return torch.stack([statistic(part) for part in means.chunk(seeds, -1)], -1)


def _seed_weights(seeds: int, seed: int) -> Tensor:
    """Return the weight of each seed in each draw, (SAMPLES, n).

    The spread of n values drawn with replacement is too small by n - 1 over n, which the weights make up for.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(seeds, (SAMPLES, seeds), generator=generator)
    shares = torch.nn.functional.one_hot(drawn, seeds).double().mean(1)
    return 1 / seeds + (shares - 1 / seeds) * math.sqrt(seeds / max(seeds - 1, 1))


def _over_people(values: Sequence[float], draws: Tensor) -> Estimate:
    """Return the mean over people with its interval.

    Args:
        values: value of each of the P people; those without one (NaN) are left out.
        draws: values of each person by other seeds and frames, (P, SAMPLES).
    """
    each = torch.tensor(values, dtype=torch.float64)
    each, draws = each[each.isfinite()], draws[each.isfinite()]
    people = len(each)
    if people < 2:
        low, high = _percentiles(draws[0]) if people else (math.nan, math.nan)
        return Estimate(float(each[0]) if people else math.nan, low, high)
    noise = draws - draws.nanmean(1, keepdim=True)
    mean, spread, within = float(each.mean()), float(each.var()), float(noise.square().nanmean())
    kept = math.sqrt(people / (people - 1) * max(0.0, 1 - within / spread)) if spread else 0.0
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randint(people, (SAMPLES, people), generator=generator)
    drawn = torch.randint(SAMPLES, (SAMPLES, people), generator=generator)
    low, high = _percentiles(mean + (kept * (each - mean)[chosen] + noise[chosen, drawn]).nanmean(1))
    reach = float(student.ppf((1 + LEVEL) / 2, people - 1)) * math.sqrt(spread / people)
    return Estimate(mean, min(low, mean - reach), max(high, mean + reach))


def _percentiles(samples: Tensor) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low, high = samples.nanquantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high
