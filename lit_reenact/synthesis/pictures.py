"""Pictures for people beside the synthesised ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_reenact.core.schema import CONDITIONING, ConditioningImage


def conditioning_picture(conditioning: Tensor, images: Sequence[ConditioningImage] = CONDITIONING) -> Tensor:
    """What a person wants to see of the conditioning: the diffuse face, else the first image, and the eyes in it.

    Args:
        conditioning: (N, 3 K, H, W).
        images: names of the K images.

    Returns:
        (N, H, W, 3).
    """
    shown = dict(zip(images, torch.split(conditioning, 3, dim=1), strict=True))
    face = shown.get("diffuse", shown[images[0]])
    return torch.maximum(face, shown.get("eyes", face)).permute(0, 2, 3, 1)  # eyes are black in the diffuse image


def error_picture(output: Tensor, target: Tensor, full_scale: int = 64) -> Tensor:
    """Mean absolute difference of two uint8 (N, H, W, 3) as a heat map: black is 0, white ``full_scale`` levels or more."""
    heat = ((output.float() - target.float()).abs().mean(-1) / full_scale).clamp(0, 1)
    channels = [(3 * heat - shift).clamp(0, 1) for shift in range(3)]
    return (torch.stack(channels, -1) * 255).to(torch.uint8)
