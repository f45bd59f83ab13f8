"""The 1-euro filter: values worked by hand, noise at rest, and the lag behind a fast move."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lit_reenact.live.smoothing import OneEuroFilter, Steadiness

STEP = 1 / 30


def filtered(values: Tensor, steadiness: Steadiness) -> Tensor:
    """Filter a series (T,) of 30 values a second."""
    each = OneEuroFilter([steadiness])
    return torch.cat([each(value[None], STEP) for value in values])


def test_two_values_by_hand() -> None:
    share = lambda cutoff: 1 / (1 + 1 / (2 * math.pi * cutoff * STEP))  # noqa: E731
    speed = share(1.0) * 0.5 / STEP  # the speed is smoothed itself, with a cutoff of 1 Hz
    expected = 1.0 + 0.5 * share(2.0 + 3.0 * speed)
    result = filtered(torch.tensor([1.0, 1.5]), Steadiness(2.0, 3.0))
    assert result.tolist() == pytest.approx([1.0, expected])


def test_noise_at_rest_is_smoothed_and_a_fast_move_is_followed() -> None:
    noise = 0.01 * torch.randn(300, generator=torch.Generator().manual_seed(0))
    steadiness = Steadiness(1.0, 10.0)
    assert filtered(noise, steadiness)[30:].diff().std() < 0.35 * noise[30:].diff().std()
    ramp = torch.arange(60) * STEP * 2  # 2 a second
    behind = (ramp - filtered(ramp, steadiness))[-1] / 2
    assert behind < 0.01  # seconds
    firm = (ramp - filtered(ramp, Steadiness(1.0, 0.0)))[-1] / 2
    assert firm == pytest.approx(1 / (2 * math.pi), rel=0.01)  # the time constant of 1 Hz


def test_after_forget_the_next_value_is_unfiltered() -> None:
    each = OneEuroFilter([Steadiness(0.1, 0.0)])
    each(torch.zeros(1), STEP)
    assert each(torch.ones(1), STEP) < 0.1
    each.forget()
    assert each(torch.ones(1), STEP) == 1
