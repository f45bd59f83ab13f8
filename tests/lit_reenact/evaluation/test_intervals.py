"""Confidence intervals of series with known means."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap
from torch import Tensor

from lit_reenact.evaluation.intervals import Estimate, block_bootstrap, block_length, correlation, estimate, products
from lit_reenact.metrics.blinks import blink_f1
from lit_reenact.metrics.motion import pearson_r

SERIES, FRAMES, MEMORY = 150, 400, 0.8


@pytest.fixture(scope="module")
def autoregressive() -> Tensor:
    """150 series of 400 frames, x_t = 0.8 x_{t-1} + noise, whose true mean is 0."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(SERIES, FRAMES + 100, generator=generator, dtype=torch.float64)
    series = torch.zeros_like(noise)
    for t in range(1, noise.shape[1]):
        series[:, t] = MEMORY * series[:, t - 1] + noise[:, t]
    return series[:, 100:]


def coverage(series: Tensor, block: int) -> tuple[float, float]:
    """Return the share of intervals that hold the true mean, and their mean width."""
    intervals = torch.tensor([block_bootstrap(one, block, samples=300) for one in series])
    hit = (intervals[:, 0] <= 0) & (intervals[:, 1] >= 0)
    return float(hit.double().mean()), float((intervals[:, 1] - intervals[:, 0]).mean())


def test_blocks_know_that_neighbours_are_alike(autoregressive: Tensor) -> None:
    """Blocks of one frame give a third of the width, and hold the true mean half of the time."""
    held, wide = coverage(autoregressive, block=30)
    missed, narrow = coverage(autoregressive, block=1)
    assert 0.85 <= held <= 0.99
    assert missed < 0.6
    assert wide > 2 * narrow


def test_blocks_of_one_frame_are_the_ordinary_bootstrap(autoregressive: Tensor) -> None:
    series = autoregressive[0]
    expected = bootstrap((series.numpy(),), np.mean, n_resamples=2000, method="percentile", random_state=0).confidence_interval
    assert block_bootstrap(series, 1, samples=2000) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_a_constant_has_no_interval() -> None:
    assert block_bootstrap(torch.full((50,), 3.5), 10) == (3.5, 3.5)


def test_the_seed_decides(autoregressive: Tensor) -> None:
    series = autoregressive[0]
    assert block_bootstrap(series, 20, seed=1) == block_bootstrap(series, 20, seed=1)
    assert block_bootstrap(series, 20, seed=1) != block_bootstrap(series, 20, seed=2)


def test_a_lower_level_is_narrower(autoregressive: Tensor) -> None:
    (low, high), (lower, higher) = (block_bootstrap(autoregressive[0], 20, level=level) for level in (0.5, 0.99))
    assert lower < low < high < higher


@pytest.mark.parametrize("block", [0, 51])
def test_impossible_blocks_are_refused(block: int) -> None:
    with pytest.raises(ValueError, match="series of 50"):
        block_bootstrap(torch.zeros(50), block)


def test_a_block_lasts_a_second_where_there_are_enough_frames() -> None:
    assert block_length(30000 / 1001, 300) == 30
    assert block_length(30.0, 80) == 20
    assert block_length(30.0, 3) == 1


def test_frames_without_a_value_are_left_out() -> None:
    values = torch.tensor([math.nan, 1.0, 2.0, 3.0, math.nan])
    assert estimate("face_l1", values, 1.0).value == pytest.approx(2)
    assert all(math.isnan(number) for number in estimate("face_l1", torch.full((9,), math.nan), 30.0))


def test_of_pairs_the_means_are_compared() -> None:
    """Half as much flicker as the real clip, in every block."""
    real = torch.rand(60, generator=torch.Generator().manual_seed(0)) + 1
    assert estimate("flicker", torch.stack([real / 2, real], -1), 10.0) == pytest.approx(Estimate(0.5, 0.5, 0.5))


def test_correlation_from_products_is_pearsons() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(80, generator=generator) + 1000
    y = x + torch.randn(80, generator=generator)
    assert correlation(products(x, y).mean(0)).item() == pytest.approx(pearson_r(x, y).item())
    value, low, high = estimate("jaw_r", products(x, y), 5.0)
    assert low < value < high < 1


def test_samples_without_blinks_say_nothing_of_them() -> None:
    events = torch.zeros(100, 3)
    events[50] = 1
    assert blink_f1(events[:10].mean(0)).isnan()
    assert estimate("blink_f1", events, 10.0) == Estimate(1, 1, 1)
