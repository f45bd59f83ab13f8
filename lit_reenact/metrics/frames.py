"""How far an image is from the real one. Images are (B, 3, H, W) in [0, 1]; every function gives one value an image.

The perceptual distance is ``losses.Lpips``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

LEVELS = 255.0
"""Colours in [0, 1] are told in levels of 8 bits."""

MS_SSIM_SIDE = 11 * 2**4
"""Pixels that an image needs on each side for the coarsest of the five scales to hold one window of 11."""


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference (B,) in levels of 255: 0 when equal, at most 255."""
    return (prediction - target).abs().mean((1, 2, 3)) * LEVELS


def error_map(prediction: Tensor, target: Tensor) -> Tensor:
    """Photometric error of every pixel, (B, H, W): the Euclidean distance of the two colours in RGB, in levels of 255; 0 when
    equal, at most 255 sqrt(3). After the error maps of Deep Video Portraits (Kim et al. 2018).
    """
    return (prediction - target).square().sum(1).sqrt() * LEVELS


def psnr(prediction: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio (B,), 10 log10(1 / mean squared difference) dB; larger is better, infinite for equal images."""
    return torch.stack([peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(prediction, target, strict=True)])


def ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (B,), the mean of ``ssim_map``; in [-1, 1], 1 when equal."""
    return ssim_map(prediction, target).mean((1, 2))


def ssim_map(prediction: Tensor, target: Tensor) -> Tensor:
    """Structural similarity about every pixel (B, H, W), the mean of the three channels; in [-1, 1], 1 when equal.

    (2 m n + c) (2 cov + d) / ((m^2 + n^2 + c) (var + var' + d)) with the means, variances and covariance under a Gaussian of
    11x11 pixels and deviation 1.5 (Wang et al. 2004); images are mirrored at their borders.
    """
    _, similarity = structural_similarity_index_measure(
        prediction, target, reduction="none", data_range=1.0, return_full_image=True
    )
    assert isinstance(similarity, Tensor)
    return similarity.mean(1)


def ms_ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """Multi-scale structural similarity (B,) (Wang et al. 2003); in [0, 1], 1 when equal.

    The product, over five scales that halve the image, of the mean contrast term, at the coarsest of the mean similarity,
    each to the power of its weight; a negative mean, which has no such power, counts as 0.

    Raises:
        ValueError: a side is shorter than ``MS_SSIM_SIDE``, so that the coarsest scale would not hold one window.
    """
    if min(prediction.shape[2:]) < MS_SSIM_SIDE:
        raise ValueError(f"MS-SSIM of images of {tuple(prediction.shape[2:])}: it needs {MS_SSIM_SIDE} pixels a side")
    return multiscale_structural_similarity_index_measure(prediction, target, reduction="none", data_range=1.0)
