from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from lit_reenact.core.schema import EYES, FACE, MOUTH
from lit_reenact.evaluation.frame_metrics import compare_frames

FRAMES = 19  # more than one batch, and not a multiple of it


@pytest.fixture(scope="module")
def real() -> Tensor:
    face = torch.from_numpy(astronaut()[40:136, 170:266])
    return torch.stack([face.roll(k, 1) for k in range(FRAMES)])


@pytest.fixture(scope="module")
def noisy(real: Tensor) -> Tensor:
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    strength = torch.linspace(2, 20, FRAMES)[:, None, None, None]
    return (real + noise * strength).round().clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def regions(real: Tensor) -> Tensor:
    """A face with eyes in it, and a mouth in all frames but the first."""
    regions = torch.zeros(real.shape[:3], dtype=torch.uint8)
    for k, region in enumerate(regions):
        region[20 : 40 + k, 30:60] = FACE
        region[22:26, 35:55] = EYES
        region[30 : 30 + k, 40:50] = MOUTH
    return regions


def means(values: dict[str, Tensor]) -> dict[str, float]:
    return {name: float(value.double().nanmean()) for name, value in values.items()}


def test_agrees_with_scikit_image_and_numpy_frame_by_frame(real: Tensor, noisy: Tensor, regions: Tensor) -> None:
    result = means(compare_frames({"model": noisy}, real, regions)["model"])
    pairs = [(a.numpy(), b.numpy()) for a, b in zip(noisy, real, strict=True)]
    expected_ssim = [
        structural_similarity(a, b, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
        for a, b in pairs
    ]
    difference = np.abs(noisy.numpy().astype(float) - real.numpy())
    assert result["psnr"] == pytest.approx(np.mean([peak_signal_noise_ratio(b, a) for a, b in pairs]), abs=1e-3)
    assert result["ssim"] == pytest.approx(np.mean(expected_ssim), abs=2e-3)
    assert result["l1"] == pytest.approx(difference.mean(), abs=1e-3)
    for name, labels in (("face", (FACE, EYES, MOUTH)), ("eyes", (EYES,)), ("mouth", (MOUTH,))):
        masks = np.isin(regions.numpy(), labels)
        there = [one[mask].mean() for one, mask in zip(difference, masks, strict=True) if mask.any()]
        assert result[f"{name}_l1"] == pytest.approx(np.mean(there), abs=1e-3)
    assert result["photometric"] == pytest.approx(np.sqrt((difference**2).sum(-1)).mean(), abs=1e-3)


def test_a_frame_without_a_mouth_has_no_value_of_it(real: Tensor, noisy: Tensor, regions: Tensor) -> None:
    values = compare_frames({"model": noisy}, real, regions)["model"]
    assert all(values[f"mouth_{name}"].isnan().nonzero()[:, 0].tolist() == [0] for name in ("l1", "psnr", "ssim"))
    assert not values["face_l1"].isnan().any()


def test_ms_ssim_is_missing_where_images_are_too_small_for_it(real: Tensor, noisy: Tensor, regions: Tensor) -> None:
    assert "ms_ssim" not in compare_frames({"model": noisy[:1]}, real[:1], regions[:1])["model"]
    large = [clip[:1].repeat(1, 2, 2, *[1] * (clip.ndim - 3)) for clip in (noisy, real, regions)]
    assert 0 < float(compare_frames({"model": large[0]}, large[1], large[2])["model"]["ms_ssim"]) < 1


def test_methods_are_read_in_step_and_kept_separate(real: Tensor, noisy: Tensor, regions: Tensor) -> None:
    both = compare_frames({"model": iter(noisy), "baseline": (frame.flip(1) for frame in real)}, iter(real), iter(regions))
    assert list(both) == ["model", "baseline"]
    alone = compare_frames({"model": noisy}, real, regions)["model"]
    assert all(torch.equal(both["model"][name].nan_to_num(), values.nan_to_num()) for name, values in alone.items())
    assert means(both["baseline"])["face_l1"] > means(both["model"])["face_l1"]


def test_a_missing_frame_is_an_error(real: Tensor, noisy: Tensor, regions: Tensor) -> None:
    with pytest.raises(ValueError, match="shorter"):
        compare_frames({"model": noisy[:-1]}, real, regions)
