"""Temporal steadiness of clips with known motion, compared with another sampler and values by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from lit_reenact.metrics.temporal import flicker, flicker_difference, still_pixels, warped_error


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def sliding(frames: int, step: int) -> tuple[Tensor, Tensor]:
    """Return a texture that slides to the right, and its flow: a pixel was ``step`` pixels to the left."""
    texture = noise(3, 20, 40)
    clip = torch.stack([texture.roll(step * t, -1)[..., 10:30] for t in range(frames)])
    flow = torch.zeros(frames, 2, 20, 20)
    flow[:, 0] = -step
    flow[0] = torch.nan
    return clip, flow


def test_a_clip_that_moves_like_the_real_one_has_no_warped_error() -> None:
    real, flow = sliding(4, 1)
    generated = 0.5 * real + 0.1
    error = warped_error(generated, real, flow)
    assert error[0].isnan()
    assert error[1:].max() < 3  # the column that slid in has no frame before it; its weight is small, not 0
    assert warped_error(generated[:1].expand_as(generated), real, flow)[1:].min() > 20  # it stands still but should move


def test_warped_error_agrees_with_another_sampler() -> None:
    """Lai et al.'s formula with scipy's bilinear interpolation."""
    generated, real = noise(2, 3, 24, 32, seed=1), noise(2, 3, 24, 32, seed=2) * 0.1
    flow = noise(2, 2, 24, 32, seed=3) * 6 - 3
    places = np.mgrid[:24, :32] + flow[1].flip(0).numpy()
    warped = np.stack(
        [ndimage.map_coordinates(c, places, order=1, mode="nearest") for c in torch.cat([generated, real], 1)[0].numpy()]
    )
    weight = np.exp(-50 * np.square(real[1].numpy() - warped[3:]).sum(0))
    expected = 255 * (np.abs(generated[1].numpy() - warped[:3]).mean(0) * weight).sum() / weight.sum()
    assert warped_error(generated, real, flow)[1].item() == pytest.approx(expected, rel=1e-4)


def test_a_cut_has_no_frame_before_it() -> None:
    real, flow = sliding(4, 1)
    flow[2] = torch.nan
    assert warped_error(real, real, flow).isnan().tolist() == [True, False, True, False]
    assert still_pixels(flow * 0).any(2).any(1).tolist() == [False, False, False, False]


def test_flicker_by_hand() -> None:
    clip = torch.zeros(5, 3, 2, 2)
    clip[:, :, 0, 0] = torch.tensor([0.0, 10.0, 0.0, 10.0, 20.0])[:, None] / 255  # second differences 20, 20, 0
    clip[:, :, 1, 1] = 1.0 * torch.arange(5)[:, None]  # a steady ramp has none
    still = torch.ones(5, 2, 2, dtype=torch.bool)
    assert flicker(clip, still)[1:4].tolist() == pytest.approx([5, 5, 0])
    still[2] = False
    still[1, 0, 1], still[1, 1] = False, False
    values = flicker(clip, still)
    assert values.isnan().tolist() == [True, False, True, False, True]
    assert values[1].item() == pytest.approx(20)


def test_still_pixels_move_neither_before_nor_after() -> None:
    flow = torch.zeros(4, 2, 1, 3)
    flow[0] = torch.nan
    flow[2, 0, 0, 1] = 2.0
    flow[:, 1, 0, 2] = 0.4
    assert still_pixels(flow)[:, 0].tolist() == [[False] * 3, [True, False, True], [True, False, True], [False] * 3]


def test_flicker_difference_by_hand() -> None:
    generated, real = torch.tensor([2.0, 1.0, 0.0, 6.0]), torch.full((4,), 2.0)
    assert flicker_difference(generated, real).tolist() == [0, 0.5, 1, 2]
