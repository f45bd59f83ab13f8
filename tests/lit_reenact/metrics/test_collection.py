"""Metrics that accumulate: uneven batches give what all images at once give; crops lie where they should."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lit_reenact.losses.perceptual import Lpips
from lit_reenact.metrics.collection import CsimDlib, FaceLpipsMean, validation_metrics
from lit_reenact.metrics.face_crops import CROP_SIZE, crop_faces
from lit_reenact.metrics.face_recognition import POINTS, TEMPLATE, FaceRecognition, align_for_recognition
from lit_reenact.metrics.frames import psnr, ssim


@pytest.fixture(scope="module")
def images() -> tuple[Tensor, Tensor, Tensor]:
    """Five generated and five real images, and regions, of which the second is empty."""
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(5, 3, 64, 64, generator=generator)
    generated = (real + 0.1 * torch.randn(real.shape, generator=generator)).clamp(0, 1)
    region = torch.zeros(5, 64, 64, dtype=torch.bool)
    region[:, 20:50, 10:40] = True
    region[1] = False
    return generated, real, region


def test_uneven_batches_give_what_all_at_once_give(images: tuple[Tensor, Tensor, Tensor]) -> None:
    generated, real, region = images
    metrics = validation_metrics()
    for part in (slice(0, 3), slice(3, 5)):
        metrics.update(prediction=generated[part], target=real[part], region=region[part])
    values = {name: value.item() for name, value in metrics.compute().items()}
    lpips = Lpips()
    assert values["psnr"] == pytest.approx(psnr(generated, real).mean().item(), rel=1e-5)
    assert values["ssim"] == pytest.approx(ssim(generated, real).mean().item(), rel=1e-5)
    assert values["lpips"] == pytest.approx(lpips(generated * 2 - 1, real * 2 - 1).mean().item(), rel=1e-4)
    shown = (generated - real).abs().mean(1)[[0, 2, 3, 4], 20:50, 10:40]
    assert values["face_l1"] == pytest.approx(255 * shown.mean().item(), rel=1e-4)


def test_face_lpips_counts_images_with_a_face_alone(images: tuple[Tensor, Tensor, Tensor]) -> None:
    generated, real, region = images
    metric, lpips = FaceLpipsMean(), Lpips()
    metric.update(generated[:2], real[:2], region[:2])
    metric.update(generated[2:], real[2:], region[2:])
    faces = [crop_faces(frames, region)[[0, 2, 3, 4]] * 2 - 1 for frames in (generated, real)]
    assert metric.compute().item() == pytest.approx(lpips(*faces).mean().item(), rel=1e-3)


def test_a_crop_shows_the_region_and_a_margin() -> None:
    region = torch.zeros(1, 64, 64, dtype=torch.bool)
    region[:, 16:48, 16:48] = True
    crop = crop_faces(region[:, None].float().expand(1, 3, 64, 64), region)
    assert crop.shape == (1, 3, CROP_SIZE, CROP_SIZE)
    assert crop[0, 0].mean().item() == pytest.approx(1 / 1.2**2, abs=0.01)
    assert crop[0, 0, 128, 128] == 1
    assert crop[0, 0, 5, 5] == 0


def test_a_crop_does_not_depend_on_the_rest_of_its_batch() -> None:
    """A face larger than its crop is sampled finer, a smaller one beside it or an empty region is not."""
    images = torch.rand(3, 3, 512, 512, generator=torch.Generator().manual_seed(2))
    region = torch.zeros(3, 512, 512, dtype=torch.bool)
    region[0, 200:300, 200:300] = True
    region[1, 50:450, 50:450] = True
    alone = torch.cat([crop_faces(images[[one]], region[[one]]) for one in range(3)])
    torch.testing.assert_close(crop_faces(images, region), alone)


def test_csim_is_a_mean_over_detected_faces() -> None:
    generator = torch.Generator().manual_seed(1)
    real = torch.rand(3, 3, 150, 150, generator=generator)
    generated = torch.rand(3, 3, 150, 150, generator=generator)
    landmarks = torch.zeros(3, 478, 3)
    landmarks[:, list(POINTS), :2] = (torch.tensor(TEMPLATE) + 0.25) / 1.5 * 150
    landmarks[1] = math.nan
    metric = CsimDlib()
    metric.update(generated[:2], real[:2], landmarks[:2])
    metric.update(generated[2:], real[2:], landmarks[2:])
    network = FaceRecognition()
    pairs = [network(align_for_recognition(frames[[0, 2]], landmarks[[0, 2]])) for frames in (generated, real)]
    assert metric.compute().item() == pytest.approx(torch.cosine_similarity(*pairs).mean().item(), rel=1e-4)
