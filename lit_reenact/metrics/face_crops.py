"""Crops of the face for the perceptual distance."""

from __future__ import annotations

from torch import Tensor

from lit_reenact.core.crops import region_boxes, usable_boxes
from lit_reenact.metrics.alignment import square_transform, warp_faces

CROP_SIZE = 256
"""Side of a face crop, pixels: what LPIPS is usually measured at."""


def crop_faces(images: Tensor, region: Tensor) -> Tensor:
    """Return the face crops (B, 3, 256, 256) of images (B, 3, H, W), where the regions, bool (B, H, W), show the face.

    The border of an image continues outside it. The crop of an empty region is the middle of the image.
    """
    boxes = usable_boxes(region_boxes(region).to(images), images)
    return warp_faces(images, square_transform(boxes, CROP_SIZE), CROP_SIZE, padding="border")
