"""Confidence intervals of means over the frames of a video.

Neighbouring frames are similar, and so are their errors: intervals for 200 independent frames would be far too narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lit_reenact.metrics.blinks import blink_f1
from lit_reenact.metrics.temporal import flicker_difference

BLOCK_SECONDS = 1.0
"""Typical duration of an event in a portrait video: a turn of the head, a phrase."""

FEWEST_BLOCKS = 4
"""Smallest number of blocks; a short video is cut into shorter blocks."""

SAMPLES, LEVEL = 1000, 0.95

Statistic = Callable[[Tensor], Tensor]
"""Function from the means of K series over frames, (..., K), to one value, (...)."""


class Estimate(NamedTuple):
    """A value and the interval that holds it with the probability ``LEVEL``."""

    value: float
    low: float
    high: float


def only(means: Tensor) -> Tensor:
    """Return the mean of a single series."""
    return means[..., 0]


def flicker_of_pair(means: Tensor) -> Tensor:
    """Return the ``flicker_difference`` of the series (flicker of the output, flicker of the real clip)."""
    return flicker_difference(means[..., 0], means[..., 1])


def correlation(means: Tensor) -> Tensor:
    """Return Pearson's correlation of x and y from the series (x, y, x^2, y^2, x y); see ``products``."""
    x, y, xx, yy, xy = means.unbind(-1)
    return (xy - x * y) / ((xx - x**2) * (yy - y**2)).sqrt()


def ratio(means: Tensor) -> Tensor:
    """Return the ratio of the first series' mean to the second's."""
    return means[..., 0] / means[..., 1]


def products(x: Tensor, y: Tensor) -> Tensor:
    """Return the five series (T, 5) that ``correlation`` needs of two series (T,)."""
    x, y = x.double(), y.double()
    x, y = x - x.nanmean(), y - y.nanmean()  # small numbers keep their digits when squared
    return torch.stack([x, y, x**2, y**2, x * y], -1)


STATISTICS: dict[str, Statistic] = {
    "flicker": flicker_of_pair,
    "blink_f1": blink_f1,
    "jaw_r": correlation,
    "strength": ratio,
    "high_frequency": ratio,
}
"""Metric to its statistic, for metrics that are not the mean of one series."""


def block_length(fps: float, frames: int) -> int:
    """Return the frames in a block: ``BLOCK_SECONDS`` of video, or fewer so that there are at least ``FEWEST_BLOCKS`` blocks."""
    return max(1, min(round(BLOCK_SECONDS * fps), frames // FEWEST_BLOCKS))


def draw_blocks(frames: int, block: int, samples: int = SAMPLES, seed: int = 0) -> Tensor:
    """Return the frames of each sample of the moving-block bootstrap: int64 (samples, frames).

    Args:
        frames: number of frames of the series, and of each sample.
        block: frames in a block.
        samples: number of samples.
        seed: seed of the draw.

    Raises:
        ValueError: the block is longer than the series, or shorter than a frame.
    """
    if not 1 <= block <= frames:
        raise ValueError(f"blocks of {block} frames in a series of {frames}")
    generator = torch.Generator().manual_seed(seed)
    starts = torch.randint(frames - block + 1, (samples, -(-frames // block)), generator=generator)
    return (starts[..., None] + torch.arange(block)).flatten(1)[:, :frames]


def block_bootstrap(
    values: Tensor, block: int, samples: int = SAMPLES, level: float = LEVEL, seed: int = 0, statistic: Statistic = only
) -> tuple[float, float]:
    """Return the confidence interval of a mean over time by the moving-block bootstrap (Kuensch 1989), between percentiles.

    Each sample joins blocks of successive frames, drawn with replacement from all blocks, until it is as long as the series; so
    it keeps the similarity of neighbours.

    Args:
        values: (T,) or (T, K), finite, in order of time.
        block: frames in a block, from 1 (the bootstrap of independent frames) to T.
        samples: number of means to draw.
        level: probability that the interval holds the true value.
        seed: seed of the draw; equal seeds draw the same frames from series of equal length.
        statistic: function of the K means; by default the single mean.

    Returns:
        (low, high) over the samples whose statistic exists (for blinks: those with a blink); NaN where none does.

    Raises:
        ValueError: the block is longer than the series, or shorter than a frame.

    Example:
        >>> low, high = block_bootstrap(errors, block=30)  # errors: (T,)
    """
    drawn = draw_blocks(len(values), block, samples, seed)
    means = values.double().reshape(len(values), -1)[drawn].mean(1)  # (samples, K)
    tail = (1 - level) / 2
    low, high = statistic(means).nanquantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high


def estimate(name: str, values: Tensor, fps: float) -> Estimate:
    """Return a metric of a clip with its confidence interval.

    Args:
        name: name of the metric, which decides the statistic of the means.
        values: value of each frame, (T,) or (T, K); frames without one (NaN) are left out.
        fps: frames per second.

    Returns:
        Value and interval; all NaN if no frame has a value.
    """
    rows = values.double().reshape(len(values), -1)
    rows = rows[~rows.isnan().any(-1)]
    if not len(rows):
        return Estimate(torch.nan, torch.nan, torch.nan)
    statistic = STATISTICS.get(name, only)
    low, high = block_bootstrap(rows, block_length(fps, len(rows)), statistic=statistic)
    return Estimate(float(statistic(rows.mean(0))), low, high)
