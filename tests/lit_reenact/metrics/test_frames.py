"""Structural similarity, regions and error maps, compared with scikit-image, TorchMetrics and values by hand."""

from __future__ import annotations

import pytest
import torch
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from lit_reenact.metrics.frames import MS_SSIM_SIDE, error_map, l1, ms_ssim, ssim, ssim_map
from lit_reenact.metrics.regions import RegionMean, region_l1, region_mean, region_psnr, region_ssim


def pair(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return two photographs with noise, and the photographs."""
    photograph = torch.from_numpy(astronaut()).permute(2, 0, 1).float() / 255
    target = torch.stack([photograph[:, :height, :width], photograph[:, -height:, -width:]])
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.03, 0.2]).view(2, 1, 1, 1)
    return (target + noise).clamp(0, 1), target


def box(height: int, width: int) -> Tensor:
    """Return a region of each image, away from the border, where implementations differ in mirroring."""
    region = torch.zeros(2, height, width, dtype=torch.bool)
    region[0, 20:50, 30:70] = True
    region[1, 12:-12, 25:40] = True
    return region


def test_ssim_equals_that_of_torchmetrics_for_other_shapes() -> None:
    generated, real = pair(90, 128)
    expected = structural_similarity_index_measure(generated, real, reduction="none", data_range=1.0)
    assert ssim(generated, real).tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_ssim_map_equals_that_of_scikit_image() -> None:
    generated, real = (images.double() for images in pair(96, 96))
    for a, b, mine in zip(generated.numpy(), real.numpy(), ssim_map(generated, real), strict=True):
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0, "full": True}
        _, expected = structural_similarity(a, b, channel_axis=0, **options)
        assert abs(mine[8:-8, 8:-8] - expected.mean(0)[8:-8, 8:-8]).max() < 1e-4


def test_ms_ssim_equals_that_of_torchmetrics() -> None:
    generated, real = pair(MS_SSIM_SIDE, 203)
    expected = multiscale_structural_similarity_index_measure(generated, real, reduction="none", data_range=1.0)
    assert ms_ssim(generated, real).tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_ms_ssim_of_equal_inverted_and_small_images() -> None:
    _, real = pair(MS_SSIM_SIDE, MS_SSIM_SIDE)
    assert ms_ssim(real, real).tolist() == pytest.approx([1, 1])
    assert ms_ssim(1 - real, real).tolist() == [0, 0]
    with pytest.raises(ValueError, match="176 pixels"):
        ms_ssim(real[:, :, 1:], real[:, :, 1:])


def test_l1_and_error_map_by_hand() -> None:
    target = torch.zeros(1, 3, 2, 2)
    prediction = target.clone()
    prediction[0, :, 0, 1] = torch.tensor([20.0, 30.0, 60.0]) / 255
    assert error_map(prediction, target).flatten().tolist() == pytest.approx([0, 70, 0, 0])  # 20^2 + 30^2 + 60^2 = 70^2
    assert l1(prediction, target).tolist() == pytest.approx([110 / 12])


def test_region_metrics_equal_those_of_scikit_image() -> None:
    generated, real = pair(96, 96)
    region = box(96, 96)
    for k in range(2):
        inside = region[k].numpy()
        a, b = generated[k].numpy()[:, inside], real[k].numpy()[:, inside]
        assert region_psnr(generated, real, region)[k].item() == pytest.approx(
            peak_signal_noise_ratio(b, a, data_range=1.0), abs=1e-3
        )
        assert region_l1(generated, real, region)[k].item() == pytest.approx(abs(a - b).mean() * 255, rel=1e-4)
        _, full = structural_similarity(
            generated[k].numpy(),
            real[k].numpy(),
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        assert region_ssim(generated, real, region)[k].item() == pytest.approx(full.mean(0)[inside].mean(), abs=1e-4)


def test_an_image_without_the_region_has_no_value_and_does_not_count() -> None:
    generated, real = pair(96, 96)
    region = box(96, 96)
    region[1] = False
    assert region_ssim(generated, real, region).isnan().tolist() == [False, True]
    mean = RegionMean(region_ssim)
    mean.update(generated, real, region)
    assert mean.compute().item() == pytest.approx(region_ssim(generated, real, region)[0].item())


def test_means_over_regions_add_up_over_processes() -> None:
    """The states of two ranks of unequal size are summed, as in DDP."""
    generated, real = pair(96, 96)
    region = box(96, 96)
    ranks = [RegionMean(region_psnr), RegionMean(region_psnr)]
    ranks[0].update(generated[[0]], real[[0]], region[[0]])
    ranks[1].update(generated[[1, 1]], real[[1, 1]], region[[1, 1]])
    ranks[0].merge_state(ranks[1])
    each = region_psnr(generated, real, region)
    assert ranks[0].compute().item() == pytest.approx((each[0] + 2 * each[1]).item() / 3)


def test_region_mean_of_everything_is_the_mean() -> None:
    values = torch.rand(3, 5, 7)
    assert region_mean(values, torch.ones(3, 5, 7, dtype=torch.bool)).tolist() == pytest.approx(values.mean((1, 2)).tolist())
