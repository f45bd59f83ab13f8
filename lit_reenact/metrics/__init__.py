"""Distances between a generated clip and the real one, and between its motion and the motion that drove it.

A metric compares; it neither tracks nor reads files. It returns one value a frame, from which confidence intervals of means can
be computed.

Example:
    >>> psnr(generated, real).mean(), ssim(generated, real).mean()  # images (B, 3, H, W) in [0, 1]
"""

from __future__ import annotations

from lit_reenact.metrics.frames import psnr, ssim
from lit_reenact.metrics.motion import mouth_opening, pearson_r, slope
from lit_reenact.metrics.regions import FaceL1

__all__ = ["FaceL1", "mouth_opening", "pearson_r", "psnr", "slope", "ssim"]
