"""Sharpness of images by the energy of their finest detail."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

WANTED = (0.8, 1.2)
"""Range of ``high_frequency`` in which generated frames look as sharp as the real ones."""


def laplacian_variance(images: Tensor) -> Tensor:
    """Return the variance (B,) of the Laplacian of the grey images (B, 3, H, W) in [0, 1]; 0 for a plain image.

    The Laplacian is that of the four neighbours. The focus measure of Pech-Pacheco et al. 2000.
    """
    grey = images.mean(1, keepdim=True)
    inner = grey[..., 1:-1, 1:-1]
    edges = grey[..., :-2, 1:-1] + grey[..., 2:, 1:-1] + grey[..., 1:-1, :-2] + grey[..., 1:-1, 2:] - 4 * inner
    return edges.var((1, 2, 3))


def high_frequency_energy(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the ``laplacian_variance`` of generated and of real images (B, 3, H, W), (B, 2).

    The metric ``high_frequency`` is the ratio of the means of the two: 1 for frames as sharp as the real ones, below
    ``WANTED`` for soft ones, above it for noise.
    """
    return torch.stack([laplacian_variance(prediction), laplacian_variance(target)], -1)


class HighFrequency(Metric):
    """Ratio of the ``laplacian_variance`` of all generated frames to that of the real ones, over batches and processes.

    Example:
        >>> sharpness = HighFrequency()
        >>> sharpness.update(generated, real)  # images (B, 3, H, W) in [0, 1]
        >>> sharpness.compute()
    """

    full_state_update = False
    totals: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("totals", default=torch.zeros(2), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add images (B, 3, H, W) in [0, 1]."""
        self.totals += high_frequency_energy(prediction, target).sum(0)

    def compute(self) -> Tensor:
        """Return the ratio over all images so far."""
        return self.totals[0] / self.totals[1]
