"""Square crops around the regions of a face, which gradients pass."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

MARGIN = 0.2
"""Share by which a crop is larger than its region."""


def region_boxes(region: Tensor) -> Tensor:
    """Return square boxes (B, 3), centre and side in pixels, around regions, bool (B, H, W), larger by ``MARGIN``.

    NaN for an empty region.
    """
    sides = []
    for shown in (region.any(1), region.any(2)):  # columns, rows: (B, W), (B, H)
        places = torch.arange(shown.shape[1], device=region.device).expand_as(shown)
        low = places.where(shown, shown.shape[1]).amin(1)
        high = places.where(shown, -1).amax(1) + 1
        sides.append(torch.stack([(low + high) / 2, (high - low).float()], -1))
    (x, width), (y, height) = (side.unbind(-1) for side in sides)
    boxes = torch.stack([x, y, torch.maximum(width, height) * (1 + MARGIN)], -1)
    return boxes.where((width > 0)[:, None], torch.nan)


def usable_boxes(boxes: Tensor, images: Tensor) -> Tensor:
    """Return boxes (B, 3) with the middle of the images (B, C, H, W) in place of those of empty regions."""
    height, width = images.shape[2:]
    return boxes.where(boxes.isfinite(), boxes.new_tensor([width / 2, height / 2, max(width, height)]))


def cut_boxes(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Cut square boxes out of images, by bilinear interpolation; the border of an image continues outside it.

    Nothing is averaged where a box is larger than its crop, so crops should not be much smaller than their boxes.

    Args:
        images: (B, C, H, W).
        boxes: (B, 3) x and y of the centre and the side, in pixels with centres at half-integers; the crop of a box that is not
            finite is the middle of the image.
        size: side of the crops in pixels.

    Returns:
        float32 (B, C, size, size).
    """
    height, width = images.shape[2:]
    x, y, side = (value[:, None] for value in usable_boxes(boxes.float(), images).unbind(-1))
    along = (torch.arange(size, device=images.device) + 0.5) / size - 0.5  # (size,) shares of a side
    across, down = 2 * (x + along * side) / width - 1, 2 * (y + along * side) / height - 1  # (B, size)
    grid = torch.stack([across[:, None].expand(-1, size, -1), down[:, :, None].expand(-1, -1, size)], -1)
    return grid_sample(images.float(), grid, padding_mode="border", align_corners=False)
