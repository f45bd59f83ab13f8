"""Pictures that explain generated frames to people: the conditioning, and the error."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_reenact.core.schema import CONDITIONING, ConditioningImage

FULL_SCALE = 64
"""Error in levels of 255 from which on a heat map is white."""


def conditioning_picture(conditioning: Tensor, images: Sequence[ConditioningImage] = CONDITIONING) -> Tensor:
    """Combine conditioning images into one picture a frame: the diffuse face, or else the first image, with the eyes in it.

    Args:
        conditioning: (N, 3 K, H, W), the K images of each frame.
        images: names of the K images.

    Returns:
        (N, H, W, 3) in the range of ``conditioning``.
    """
    by_name = dict(zip(images, torch.split(conditioning, 3, dim=1), strict=True))
    face = by_name.get("diffuse", by_name[images[0]])
    return torch.maximum(face, by_name.get("eyes", face)).permute(0, 2, 3, 1)  # eyes are black in the diffuse image


def heat_map(levels: Tensor) -> Tensor:
    """Turn errors (..., H, W) into colours uint8 (..., H, W, 3): black 0, red, yellow, white from ``FULL_SCALE`` on."""
    channels = [(3 * levels / FULL_SCALE - shift).clamp(0, 1) for shift in range(3)]
    return (torch.stack(channels, -1) * 255).to(torch.uint8)


def error_picture(output: Tensor, target: Tensor) -> Tensor:
    """Draw the mean absolute difference over the channels of two clips as a heat map.

    Args:
        output: generated frames, uint8 (N, H, W, 3).
        target: real frames, uint8 (N, H, W, 3).

    Returns:
        uint8 (N, H, W, 3).
    """
    return heat_map((output.float() - target.float()).abs().mean(-1))
