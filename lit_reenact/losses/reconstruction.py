"""Losses between generated and real frames; LPIPS is in ``perceptual``, what needs the discriminator in ``adversarial``.

Every function returns a loss, so smaller is better and descent minimises it. ``prediction`` and ``target`` are images in [-1, 1].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_reenact.core.geometry import warp_by_flow


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of two batches of images (B, 3, H, W), in [0, 2]."""
    return F.l1_loss(prediction, target)


def region_l1(prediction: Tensor, target: Tensor, region: Tensor) -> Tensor:
    """Return the mean absolute difference of images (B, 3, H, W) over a region, bool (B, H, W); 0 if it is empty."""
    difference = (prediction - target).abs().mean(1)
    return (difference * region).sum() / region.sum().clamp_min(1.0)


def temporal(prediction: Tensor, target: Tensor, flow: Tensor) -> Tensor:
    """Return how differently generated and real frames change from their predecessors, warped by the flow of the real frames.

    After Lai et al. 2018, who compare generated frames with their warped predecessors alone: that is least for a blurred video,
    which changes less than a real one. A pixel counts with weight exp(-50 e^2), where e is the distance in colour, in [0, 1],
    between the real frame and its warped predecessor: a pixel that comes into view, or is followed wrongly, has no predecessor.

    Args:
        prediction: (B, 3, H, W) generated frames.
        target: (B, 3, H, W) real frames.
        flow: (B, 2, H, W) in pixels, right and down, from each pixel of a real frame to its place in the frame before it in the
            batch; NaN where the batch has no such frame.

    Returns:
        A value in [0, 4]; 0 where no frame follows another.
    """
    flow = flow[1:].float()
    follows = flow.isfinite().all(1)  # (B - 1, H, W)
    before = torch.cat([prediction, target], 1)[:-1].float()
    predicted, real = warp_by_flow(before, flow.nan_to_num()).chunk(2, dim=1)
    change, real_change = prediction[1:] - predicted, target[1:] - real
    trust = torch.exp(-50 * (real_change / 2).square().sum(1)) * follows
    return ((change - real_change).abs().mean(1) * trust).sum() / trust.sum().clamp_min(1.0)
