"""Metrics, compared with scikit-image, NumPy and values by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from lit_reenact import metrics
from lit_reenact.metrics.regions import region_l1


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(3, 3, 96, 96, generator=generator)
    noise = torch.randn(3, 3, 96, 96, generator=generator) * torch.tensor([0.02, 0.1, 0.3]).view(3, 1, 1, 1)
    return (target + noise).clamp(0, 1), target


def test_psnr_equals_that_of_scikit_image(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    expected = [peak_signal_noise_ratio(b.numpy(), a.numpy(), data_range=1.0) for a, b in zip(*pair, strict=True)]
    assert metrics.psnr(*pair).tolist() == pytest.approx(expected, abs=1e-3)


def test_psnr_by_hand() -> None:
    half_off = torch.full((1, 3, 4, 4), 0.5)
    assert metrics.psnr(half_off, half_off - 0.1).item() == pytest.approx(20, abs=1e-3)  # 10 log10(1 / 0.1^2)
    assert metrics.psnr(half_off, half_off).isposinf().all()


def test_ssim_equals_that_of_scikit_image(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    expected = [
        structural_similarity(
            a.numpy(), b.numpy(), channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(*pair, strict=True)
    ]
    assert metrics.ssim(*pair).tolist() == pytest.approx(expected, abs=5e-3)
    assert metrics.ssim(pair[1], pair[1]).tolist() == pytest.approx([1, 1, 1])


def test_ssim_of_one_image_has_one_value() -> None:
    image = torch.rand(1, 3, 32, 32)
    assert metrics.ssim(image, image).shape == (1,)


def _faces() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return three images that differ by 10, 30 and 50 levels inside a mask of 1, 4 and 0 pixels, and by 255 outside."""
    target, mask = torch.zeros(3, 3, 4, 4), torch.zeros(3, 4, 4, dtype=torch.bool)
    mask[0, 0, 0] = True
    mask[1, :2, :2] = True
    prediction = torch.ones(3, 3, 4, 4)
    for image, levels in enumerate((10, 30, 50)):
        prediction[image, :, mask[image]] = levels / 255
    return prediction, target, mask


def test_region_l1_counts_the_region_alone() -> None:
    values = region_l1(*_faces())
    assert values[:2].tolist() == pytest.approx([10, 30])
    assert values[2].isnan()


def test_face_l1_accumulates_over_the_images_that_show_a_face() -> None:
    metric = metrics.FaceL1()
    prediction, target, mask = _faces()
    metric.update(prediction[:1], target[:1], mask[:1])
    metric.update(prediction[1:], target[1:], mask[1:])
    assert metric.compute().item() == pytest.approx(20)


def test_face_l1_of_a_diverged_generator_is_nan() -> None:
    metric = metrics.FaceL1()
    prediction, target, mask = _faces()
    metric.update(prediction.index_fill(0, torch.tensor([1]), torch.nan), target, mask)
    assert metric.compute().isnan()


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_face_l1_without_images_is_nan() -> None:
    assert metrics.FaceL1().compute().isnan()


def test_face_l1_adds_up_over_processes() -> None:
    """The states of two ranks of unequal size are summed, as in DDP."""
    prediction, target, mask = _faces()
    ranks = [metrics.FaceL1(), metrics.FaceL1()]
    ranks[0].update(prediction[[0]], target[[0]], mask[[0]])
    ranks[1].update(prediction[[1, 1, 1]], target[[1, 1, 1]], mask[[1, 1, 1]])
    ranks[0].merge_state(ranks[1])
    assert ranks[0].compute().item() == pytest.approx((10 + 30 + 30 + 30) / 4)


def test_correlation_and_slope_equal_those_of_numpy() -> None:
    generator = np.random.default_rng(0)
    driving = generator.normal(size=50)
    output = 0.7 * driving + 3 + generator.normal(size=50) * 0.2
    pair = torch.from_numpy(driving), torch.from_numpy(output)
    assert metrics.pearson_r(*pair).item() == pytest.approx(np.corrcoef(driving, output)[0, 1])
    assert metrics.slope(*pair).item() == pytest.approx(np.polyfit(driving, output, 1)[0])


def test_a_series_that_follows_at_half_size_and_one_that_does_not_move() -> None:
    driving = torch.tensor([0.0, 1.0, 2.0, 4.0])
    assert metrics.pearson_r(driving, driving / 2 - 7).item() == pytest.approx(1)
    assert metrics.slope(driving, driving / 2 - 7).item() == pytest.approx(0.5)
    assert metrics.pearson_r(driving, torch.ones(4)).isnan()
    assert metrics.slope(driving, torch.ones(4)) == 0


def test_mouth_opening_by_hand_and_under_a_turn_of_the_head() -> None:
    landmarks = torch.zeros(2, 478, 3)
    landmarks[:, 33, 0], landmarks[:, 263, 0] = -40.0, 40.0
    landmarks[1, 13, 1], landmarks[1, 14, 1] = 50.0, 66.0
    assert metrics.mouth_opening(landmarks).tolist() == pytest.approx([0, 0.2])
    turn = torch.tensor([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    assert metrics.mouth_opening(landmarks @ turn).tolist() == pytest.approx([0, 0.2])
