"""Energy of the finest detail, against scipy and over batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import laplace

from lit_reenact.metrics.sharpness import HighFrequency, high_frequency_energy, laplacian_variance


def test_it_is_the_variance_of_scipys_laplacian() -> None:
    images = torch.rand(2, 3, 12, 15, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = [np.var(laplace(image.mean(0).numpy())[1:-1, 1:-1], ddof=1) for image in images]
    assert laplacian_variance(images).tolist() == pytest.approx(expected)


def test_a_plain_image_and_a_ramp_have_none() -> None:
    ramp = torch.linspace(0, 1, 16).expand(2, 3, 16, 16)
    assert laplacian_variance(torch.stack([torch.full((3, 16, 16), 0.4), ramp[0]])).tolist() == pytest.approx([0, 0], abs=1e-12)


def test_contrast_counts_squared_and_batches_do_not() -> None:
    real = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    soft = 0.5 + (real - 0.5) / 2
    metric = HighFrequency()
    metric.update(soft[:4], real[:4])
    metric.update(soft[4:], real[4:])
    assert metric.compute().item() == pytest.approx(0.25, rel=1e-5)
    energy = high_frequency_energy(soft, real)
    assert (energy[:, 0].mean() / energy[:, 1].mean()).item() == pytest.approx(0.25, rel=1e-5)
