"""How far a part of an image, such as the face, is from the real one, and means of that over many images.

Images are (B, 3, H, W) in [0, 1], a region is a bool (B, H, W) mask. An image whose region is empty has no value: NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric

from lit_reenact.metrics.frames import LEVELS, ssim_map


def region_mean(values: Tensor, region: Tensor) -> Tensor:
    """Mean of the values (B, H, W) of the pixels in the region of each image, (B,)."""
    return (values * region).sum((1, 2)) / region.sum((1, 2))


def region_l1(prediction: Tensor, target: Tensor, region: Tensor) -> Tensor:
    """Mean absolute difference in the region, (B,) in levels of 255: 0 when equal, at most 255."""
    return region_mean((prediction - target).abs().mean(1) * LEVELS, region)


def region_psnr(prediction: Tensor, target: Tensor, region: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of the region, (B,): 10 log10(1 / mean squared difference in it) dB; larger is better, infinite
    when equal.
    """
    return -10 * region_mean((prediction - target).square().mean(1), region).log10()


def region_ssim(prediction: Tensor, target: Tensor, region: Tensor) -> Tensor:
    """Mean over the region of the map of structural similarity (Wang et al. 2004), (B,) in [-1, 1], 1 when equal.

    Each pixel's window of 11x11 also sees what lies about the region.
    """
    return region_mean(ssim_map(prediction, target), region)


class RegionMean(Metric):
    """One of the measures above, averaged over all images with that region, of all batches and processes; NaN while there was
    none.

    Args:
        measure: (prediction, target, region) to (B,).
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, measure: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.measure = measure
        self.add_state("total", default=torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor, region: Tensor) -> None:
        """Images (B, 3, H, W) in [0, 1] and their regions, bool (B, H, W)."""
        shown = region.any(-1).any(-1)
        self.total += self.measure(prediction, target, region)[shown].sum()
        self.count += shown.sum()

    def compute(self) -> Tensor:
        """The average so far."""
        return self.total / self.count


class FaceL1(RegionMean):
    """``region_l1`` of faces, in levels of 255."""

    higher_is_better = False

    def __init__(self) -> None:
        super().__init__(region_l1)
