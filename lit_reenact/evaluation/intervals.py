"""How sure a mean over the frames of a video is.

Neighbouring frames look alike, so their errors do too: as if independent, 200 frames would promise far more than they know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lit_reenact.metrics.blinks import blink_f1
from lit_reenact.metrics.temporal import flicker_difference

BLOCK_SECONDS = 1.0
"""How long what happens in a portrait video lasts, roughly: a turn of the head, a phrase."""

FEWEST_BLOCKS = 4
"""A short video is cut into shorter blocks, so that there are some to draw from."""

SAMPLES, LEVEL = 1000, 0.95

Statistic = Callable[[Tensor], Tensor]
"""Means over frames (..., K) to what is told of them (...)."""


class Estimate(NamedTuple):
    """A value and the interval that holds it with the probability ``LEVEL``."""

    value: float
    low: float
    high: float


def only(means: Tensor) -> Tensor:
    """The mean of a single series."""
    return means[..., 0]


def flicker_of_pair(means: Tensor) -> Tensor:
    """``flicker_difference`` of the series (output's flicker, real clip's flicker)."""
    return flicker_difference(means[..., 0], means[..., 1])


def correlation(means: Tensor) -> Tensor:
    """Pearson's correlation of x and y from the series (x, y, x^2, y^2, x y); see ``products``."""
    x, y, xx, yy, xy = means.unbind(-1)
    return (xy - x * y) / ((xx - x**2) * (yy - y**2)).sqrt()


def ratio(means: Tensor) -> Tensor:
    """Of the first series' mean to the second's."""
    return means[..., 0] / means[..., 1]


def products(x: Tensor, y: Tensor) -> Tensor:
    """What ``correlation`` needs of two series (T,): (T, 5)."""
    x, y = x.double(), y.double()
    x, y = x - x.nanmean(), y - y.nanmean()  # small numbers keep their digits when squared
    return torch.stack([x, y, x**2, y**2, x * y], -1)


STATISTICS: dict[str, Statistic] = {
    "flicker": flicker_of_pair,
    "blink_f1": blink_f1,
    "jaw_r": correlation,
    "strength": ratio,
}
"""Of metrics that are no mean of one series."""


def block_length(fps: float, frames: int) -> int:
    """Frames in a block: ``BLOCK_SECONDS`` of video, or less where so few frames would make fewer than ``FEWEST_BLOCKS``."""
    return max(1, min(round(BLOCK_SECONDS * fps), frames // FEWEST_BLOCKS))


def block_bootstrap(
    values: Tensor, block: int, samples: int = SAMPLES, level: float = LEVEL, seed: int = 0, statistic: Statistic = only
) -> tuple[float, float]:
    """Confidence interval of a mean over time by the moving-block bootstrap (Kuensch 1989), between percentiles.

    Each sample strings blocks of successive frames together, drawn with replacement from all there are, until it is as long
    as the series; so it keeps the likeness of neighbours.

    Args:
        values: (T,) or (T, K), finite, in order of time.
        block: frames in a block, from 1 (the bootstrap of independent frames) to T.
        samples: how many means are drawn.
        level: probability that the interval holds the true value.
        seed: of the draw; the same for series of equal length gives the same frames.
        statistic: of the K means; without it the one mean.

    Returns:
        (low, high), of the samples whose statistic exists (blinks need one that holds a blink); NaN where none does.

    Raises:
        ValueError: the block is longer than the series, or shorter than a frame.
    """
    frames = len(values)
    if not 1 <= block <= frames:
        raise ValueError(f"blocks of {block} frames in a series of {frames}")
    generator = torch.Generator().manual_seed(seed)
    starts = torch.randint(frames - block + 1, (samples, -(-frames // block)), generator=generator)
    drawn = (starts[..., None] + torch.arange(block)).flatten(1)[:, :frames]  # (samples, T)
    means = values.double().reshape(frames, -1)[drawn].mean(1)  # (samples, K)
    tail = (1 - level) / 2
    low, high = statistic(means).nanquantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high


def estimate(name: str, values: Tensor, fps: float) -> Estimate:
    """A metric of a clip with its interval.

    Args:
        name: of the metric, which says what is made of the means.
        values: of each frame, (T,) or (T, K); frames that have none (NaN) are left out.
        fps: frames per second.

    Returns:
        NaN where no frame has a value.
    """
    rows = values.double().reshape(len(values), -1)
    rows = rows[~rows.isnan().any(-1)]
    if not len(rows):
        return Estimate(torch.nan, torch.nan, torch.nan)
    statistic = STATISTICS.get(name, only)
    low, high = block_bootstrap(rows, block_length(fps, len(rows)), statistic=statistic)
    return Estimate(float(statistic(rows.mean(0))), low, high)
