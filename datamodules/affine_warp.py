"""Affine warp of images with many channels."""

from __future__ import annotations

import torch
from kornia.geometry.transform import invert_affine_transform
from torch import Tensor
from torch.nn.functional import embedding_bag


def warp_images(images: Tensor, matrix: Tensor) -> Tensor:
    """Warp images by affine maps, with bilinear interpolation; outside an image its value is -1, black.

    The result is that of ``kornia.geometry.transform.warp_affine(images + 1, matrix, ...) - 1``. Here a pixel is one row of all
    its channels, and a moved pixel a weighted sum of four rows. With the 99 channels of a window in the networks' memory layout
    this is several times as fast on a CPU, and needs memory for one window only.

    Args:
        images: float32 (B, C, H, W) in [-1, 1]; overwritten if they are channels-last in memory.
        matrix: float32 (B, 2, 3), maps from pixels (x, y, 1), with centres at whole numbers, to their new places.

    Returns:
        float32 (B, C, H, W), channels-last in memory.
    """
    images = images.contiguous(memory_format=torch.channels_last)
    height, width = images.shape[2:]
    y, x = torch.meshgrid(*(torch.arange(n, device=images.device) for n in (height, width)), indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], dim=-1).flatten(0, 1).to(images)  # (H * W, 3)
    for image, inverse in zip(images, invert_affine_transform(matrix), strict=True):
        rows, weights = _corners(pixels @ inverse.T, height, width)
        table = image.permute(1, 2, 0).flatten(0, 1)
        moved = embedding_bag(rows, table, mode="sum", per_sample_weights=weights)
        torch.add(moved, weights.sum(1, keepdim=True) - 1, out=table)
    return images


def _corners(places: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return indices int64 (N, 4) and weights (N, 4) of the four pixels around places (N, 2); weights are 0 outside the image."""
    low = places.floor()
    share = places - low
    x, y = (low[:, k, None] + low.new_tensor(steps) for k, steps in enumerate([(0, 1, 0, 1), (0, 0, 1, 1)]))
    weight_x, weight_y = (torch.stack([1 - share[:, k], share[:, k]], dim=1) for k in (0, 1))
    weights = (weight_y[:, :, None] * weight_x[:, None, :]).flatten(1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    rows = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    return rows.long(), weights * inside
