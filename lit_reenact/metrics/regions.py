"""Distances and similarities in a region of an image, such as the face, and their means over many images.

Images are (B, 3, H, W) in [0, 1]; a region is a bool mask (B, H, W). The value of an empty region is NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_reenact.metrics.frames import LEVELS, ssim_map


def region_mean(values: Tensor, region: Tensor) -> Tensor:
    """Return the mean (B,) of values (B, H, W) over the pixels of each region."""
    return (values * region).sum((1, 2)) / region.sum((1, 2))


def region_l1(prediction: Tensor, target: Tensor, region: Tensor) -> Tensor:
    """Return the mean absolute difference (B,) in the region, in levels of 255; 0 for equal images, at most 255."""
    return region_mean((prediction - target).abs().mean(1) * LEVELS, region)


def region_psnr(prediction: Tensor, target: Tensor, region: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio (B,) of the region, 10 log10(1 / mean squared difference) dB; infinite if equal."""
    return -10 * region_mean((prediction - target).square().mean(1), region).log10()


def region_ssim(prediction: Tensor, target: Tensor, region: Tensor) -> Tensor:
    """Return the mean structural similarity (B,) over the region (Wang et al. 2004); in [-1, 1], 1 for equal images.

    The window of 11x11 pixels around each pixel also covers the surroundings of the region.
    """
    return region_mean(ssim_map(prediction, target), region)


class ImageMean(Metric):
    """Mean of one value an image, over all images of all batches and processes; NaN without any."""

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def add(self, values: Tensor) -> None:
        """Add the values (B,) of some images."""
        self.total += values.sum()
        self.count += len(values)

    def compute(self) -> Tensor:
        """Return the mean of all images so far."""
        return self.total / self.count


class FrameMean(ImageMean):
    """Mean of a metric of whole images.

    Args:
        measure: function from (prediction, target), images (B, 3, H, W) in [0, 1], to (B,).

    Example:
        >>> mean = FrameMean(psnr)
        >>> mean.update(generated, real)
        >>> mean.compute()
    """

    def __init__(self, measure: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.measure = measure

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add images (B, 3, H, W) in [0, 1]."""
        self.add(self.measure(prediction, target))


class RegionMean(ImageMean):
    """Mean of a region metric over all images that show the region.

    Args:
        measure: function from (prediction, target, region) to (B,).

    Example:
        >>> mean = RegionMean(region_psnr)
        >>> mean.update(generated, real, region)
        >>> mean.compute()
    """

    def __init__(self, measure: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.measure = measure

    def update(self, prediction: Tensor, target: Tensor, region: Tensor) -> None:
        """Add images (B, 3, H, W) in [0, 1] and their regions, bool (B, H, W)."""
        self.add(self.measure(prediction, target, region)[region.any(-1).any(-1)])


class FaceL1(RegionMean):
    """Mean ``region_l1`` of faces, in levels of 255."""

    higher_is_better = False

    def __init__(self) -> None:
        super().__init__(region_l1)
