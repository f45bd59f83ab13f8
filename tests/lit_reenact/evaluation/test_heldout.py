from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from lit_reenact.evaluation.heldout import compare
from lit_reenact.losses import Lpips

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
def masks(real: Tensor) -> Tensor:
    masks = torch.zeros(real.shape[:3], dtype=torch.bool)
    for k, mask in enumerate(masks):
        mask[20 : 40 + k, 30:60] = True
    return masks


def test_agrees_with_scikit_image_and_numpy_frame_by_frame(real: Tensor, noisy: Tensor, masks: Tensor) -> None:
    result = compare({"model": noisy}, real, masks)["model"]
    pairs = [(a.numpy(), b.numpy()) for a, b in zip(noisy, real, strict=True)]
    expected_ssim = [
        structural_similarity(a, b, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
        for a, b in pairs
    ]
    difference = np.abs(noisy.numpy().astype(float) - real.numpy())
    assert result["psnr"] == pytest.approx(np.mean([peak_signal_noise_ratio(b, a) for a, b in pairs]), abs=1e-3)
    assert result["ssim"] == pytest.approx(np.mean(expected_ssim), abs=2e-3)
    assert result["l1"] == pytest.approx(difference.mean(), abs=1e-3)
    on_the_face = [one[mask].mean() for one, mask in zip(difference, masks.numpy(), strict=True)]
    assert result["face_l1"] == pytest.approx(np.mean(on_the_face), abs=1e-3)


def test_methods_are_read_in_step_and_kept_apart(real: Tensor, noisy: Tensor, masks: Tensor) -> None:
    both = compare({"model": iter(noisy), "baseline": (frame.flip(1) for frame in real)}, iter(real), iter(masks))
    assert list(both) == ["model", "baseline"]
    assert both["model"] == pytest.approx(compare({"model": noisy}, real, masks)["model"])
    assert both["baseline"]["face_l1"] > both["model"]["face_l1"]


def test_a_missing_frame_is_an_error(real: Tensor, noisy: Tensor, masks: Tensor) -> None:
    with pytest.raises(ValueError, match="shorter"):
        compare({"model": noisy[:-1]}, real, masks)


def test_lpips_comes_under_a_name_that_says_it_is_untrained(real: Tensor, noisy: Tensor, masks: Tensor) -> None:
    assert "lpips_untrained" not in compare({"model": noisy[:2]}, real[:2], masks[:2])["model"]
    lpips = Lpips("untrained")
    assert compare({"model": noisy[:2]}, real[:2], masks[:2], lpips)["model"]["lpips_untrained"] > 0
    assert compare({"model": real[:2]}, real[:2], masks[:2], lpips)["model"]["lpips_untrained"] == pytest.approx(0, abs=1e-6)
