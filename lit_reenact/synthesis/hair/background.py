"""What lies behind a person, put together from the moments in which it was seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.tracking.photometric import fill_holes


@dataclass(frozen=True)
class Plate:
    """An empty background.

    Attributes:
        image: uint8 (H, W, 3).
        seen: bool (H, W), False where the person was in the way all the time: the image is a smooth guess there.
    """

    image: Tensor
    seen: Tensor


def background_plate(frames: Tensor, person: Tensor) -> Plate:
    """The background of a camera that stands still: of each pixel the median of the frames in which it was free.

    Args:
        frames: uint8 (N, H, W, 3), square.
        person: bool (N, H, W), with a margin.
    """
    free = torch.where(person[..., None], torch.nan, frames.float())
    image, seen = free.nanmedian(0).values, ~person.all(0)
    filled = fill_holes(image.nan_to_num().permute(2, 0, 1), seen.float()).permute(1, 2, 0)
    return Plate(filled.round().clamp(0, 255).to(torch.uint8), seen)
