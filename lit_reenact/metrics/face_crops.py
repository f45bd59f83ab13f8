"""Crops of the face for the perceptual distance."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.metrics.alignment import square_transform, warp_faces

CROP_SIZE = 256
"""Side of a face crop, pixels: what LPIPS is usually measured at."""

MARGIN = 0.2
"""Share by which a face crop is larger than the face."""


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


def crop_faces(images: Tensor, region: Tensor) -> Tensor:
    """Return the face crops (B, 3, 256, 256) of images (B, 3, H, W), where the regions, bool (B, H, W), show the face.

    The border of an image continues outside it. The crop of an empty region is the middle of the image.
    """
    boxes = region_boxes(region).to(images)
    middle = boxes.new_tensor([images.shape[3] / 2, images.shape[2] / 2, max(images.shape[2:])])
    boxes = torch.where(boxes.isfinite(), boxes, middle)
    return warp_faces(images, square_transform(boxes, CROP_SIZE), CROP_SIZE, padding="border")
