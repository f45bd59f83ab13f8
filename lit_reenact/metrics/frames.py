"""How far an image is from the real one. Images are (B, 3, H, W) in [0, 1]; every function gives one value an image.

The perceptual distance is ``losses.Lpips``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad
from torchmetrics.functional.image import peak_signal_noise_ratio

LEVELS = 255.0
"""Colours in [0, 1] are told in levels of 8 bits."""

REACH, DEVIATION = 5, 1.5
"""Of the Gaussian windows of structural similarity, pixels: how far they reach from their centre, and how wide they are."""

STEADY_MEANS, STEADY_VARIANCES = 0.01**2, 0.03**2
"""What keeps its two quotients steady where there is next to nothing to divide by, for images in [0, 1]."""

SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Powers of the five scales of ``ms_ssim``, the finest first."""

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
    means, contrast = _similarity(prediction, target)
    return (means * contrast).mean(1)


def _similarity(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The two factors of structural similarity, that of the means and that of contrast and structure, (B, 3, H, W) each."""
    moments = torch.cat([prediction, target, prediction**2, target**2, prediction * target])
    a, b, aa, bb, ab = _blurred(pad(moments, [REACH] * 4, mode="reflect")).chunk(5)
    variances = (aa - a**2).clamp_min(0) + (bb - b**2).clamp_min(0)
    means = (2 * a * b + STEADY_MEANS) / (a**2 + b**2 + STEADY_MEANS)
    return means, (2 * (ab - a * b) + STEADY_VARIANCES) / (variances + STEADY_VARIANCES)


def _blurred(images: Tensor) -> Tensor:
    """Means under the window wherever it fits into the images (N, C, H, W).

    Sums of shifted images: on a CPU five times as fast as a convolution with the whole window, by measurement.
    """
    weights = torch.exp(-0.5 * (torch.arange(-REACH, REACH + 1, dtype=torch.float64) / DEVIATION) ** 2)
    weights = weights / weights.sum()
    for dim in (2, 3):
        count = images.shape[dim] - 2 * REACH
        total = images.narrow(dim, 0, count) * float(weights[0])
        for shift, weight in enumerate(weights[1:].tolist(), 1):
            total = total.add_(images.narrow(dim, shift, count), alpha=weight)
        images = total
    return images


def ms_ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """Multi-scale structural similarity (B,) (Wang et al. 2003); in [0, 1], 1 when equal.

    The product, over five scales that halve the image, of the mean contrast term, at the coarsest of the mean similarity,
    each to the power of its weight; a negative mean, which has no such power, counts as 0.

    Raises:
        ValueError: a side is shorter than ``MS_SSIM_SIDE``, so that the coarsest scale would not hold one window.
    """
    if min(prediction.shape[2:]) < MS_SSIM_SIDE:
        raise ValueError(f"MS-SSIM of images of {tuple(prediction.shape[2:])}: it needs {MS_SSIM_SIDE} pixels a side")
    product = prediction.new_ones(len(prediction))
    for scale, power in enumerate(SCALES):
        means, contrast = _similarity(prediction, target)
        coarsest = scale == len(SCALES) - 1
        factor = means * contrast if coarsest else contrast[..., REACH:-REACH, REACH:-REACH]
        product = product * factor.mean((1, 2, 3)).clamp_min(0) ** power
        prediction, target = avg_pool2d(prediction, 2), avg_pool2d(target, 2)
    return product
