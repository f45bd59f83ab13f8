"""Pictures that explain generated frames to people: the conditioning, and the error."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_reenact.core.schema import CONDITIONING, ConditioningImage


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


def error_picture(output: Tensor, target: Tensor, full_scale: int = 64) -> Tensor:
    """Draw the difference of two clips as a heat map, from black over red and yellow to white.

    Args:
        output: generated frames, uint8 (N, H, W, 3).
        target: real frames, uint8 (N, H, W, 3).
        full_scale: mean absolute difference over the channels, in levels of 255, from which on a pixel is white.

    Returns:
        uint8 (N, H, W, 3).
    """
    heat = ((output.float() - target.float()).abs().mean(-1) / full_scale).clamp(0, 1)
    channels = [(3 * heat - shift).clamp(0, 1) for shift in range(3)]
    return (torch.stack(channels, -1) * 255).to(torch.uint8)
