"""Distances and similarities of images. Images are (B, 3, H, W) in [0, 1]; the functions return one value an image.

The perceptual distance is ``losses.Lpips``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad
from torchmetrics.functional.image import peak_signal_noise_ratio

LEVELS = 255.0
"""Levels of 8-bit colours, the unit of differences between colours in [0, 1]."""

RADIUS, DEVIATION = 5, 1.5
"""Radius and standard deviation of the Gaussian window of structural similarity, pixels."""

STEADY_MEANS, STEADY_VARIANCES = 0.01**2, 0.03**2
"""Constants that stabilise the two quotients of structural similarity, for images in [0, 1]."""

MS_SSIM_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales of ``ms_ssim``, the finest first."""

MS_SSIM_SIDE = 11 * 2**4
"""Smallest side of an image, pixels, whose coarsest scale holds one window of 11 pixels."""


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference (B,) in levels of 255; 0 for equal images, at most 255."""
    return (prediction - target).abs().mean((1, 2, 3)) * LEVELS


def error_map(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the photometric error of every pixel, (B, H, W), as in the error maps of Deep Video Portraits (Kim et al. 2018).

    It is the Euclidean distance of the two colours in RGB, in levels of 255; 0 for equal colours, at most 255 sqrt(3).
    """
    return (prediction - target).square().sum(1).sqrt() * LEVELS


def psnr(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio (B,), 10 log10(1 / mean squared difference) dB; infinite for equal images."""
    return torch.stack([peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(prediction, target, strict=True)])


def ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the structural similarity (B,), the mean of ``ssim_map``; in [-1, 1], 1 for equal images."""
    return ssim_map(prediction, target).mean((1, 2))


def ssim_map(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the structural similarity around every pixel, (B, H, W), as a mean over channels; in [-1, 1], 1 for equal images.

    It is (2 m n + c) (2 cov + d) / ((m^2 + n^2 + c) (var + var' + d)) with the means, variances and covariance under a Gaussian
    window of 11x11 pixels and standard deviation 1.5 (Wang et al. 2004); images are mirrored at their borders.
    """
    means, contrast = _similarity(prediction, target)
    return (means * contrast).mean(1)


def _similarity(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two factors of structural similarity, of means and of contrast and structure, (B, 3, H, W) each."""
    moments = torch.cat([prediction, target, prediction**2, target**2, prediction * target])
    a, b, aa, bb, ab = _blur(pad(moments, [RADIUS] * 4, mode="reflect")).chunk(5)
    variances = (aa - a**2).clamp_min(0) + (bb - b**2).clamp_min(0)
    means = (2 * a * b + STEADY_MEANS) / (a**2 + b**2 + STEADY_MEANS)
    return means, (2 * (ab - a * b) + STEADY_VARIANCES) / (variances + STEADY_VARIANCES)


def _blur(images: Tensor) -> Tensor:
    """Return the means under the Gaussian window at every place where it fits into the images (N, C, H, W).

    Sums of shifted images are five times as fast on a CPU as a convolution with the whole window, by measurement.
    """
    weights = torch.exp(-0.5 * (torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64) / DEVIATION) ** 2)
    weights = weights / weights.sum()
    for dim in (2, 3):
        count = images.shape[dim] - 2 * RADIUS
        total = images.narrow(dim, 0, count) * float(weights[0])
        for shift, weight in enumerate(weights[1:].tolist(), 1):
            total = total.add_(images.narrow(dim, shift, count), alpha=weight)
        images = total
    return images


def ms_ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the multi-scale structural similarity (B,) (Wang et al. 2003); in [0, 1], 1 for equal images.

    It is a product over five scales, each half the size of the one before: of the mean contrast factor, at the coarsest scale
    of the mean similarity, to the power of the scale's exponent. A negative mean, which has no such power, counts as 0.

    Raises:
        ValueError: a side is shorter than ``MS_SSIM_SIDE``.
    """
    if min(prediction.shape[2:]) < MS_SSIM_SIDE:
        raise ValueError(f"MS-SSIM needs images of {MS_SSIM_SIDE} pixels a side, not {tuple(prediction.shape[2:])}")
    product = prediction.new_ones(len(prediction))
    for scale, power in enumerate(MS_SSIM_EXPONENTS):
        means, contrast = _similarity(prediction, target)
        coarsest = scale == len(MS_SSIM_EXPONENTS) - 1
        factor = means * contrast if coarsest else contrast[..., RADIUS:-RADIUS, RADIUS:-RADIUS]
        product = product * factor.mean((1, 2, 3)).clamp_min(0) ** power
        prediction, target = avg_pool2d(prediction, 2), avg_pool2d(target, 2)
    return product
