"""The background behind a person, recovered from the frames in which the person did not hide it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.tracking.photometric import fill_holes


@dataclass(frozen=True)
class Plate:
    """A background without the person (a clean plate).

    Attributes:
        image: the background, uint8 (H, W, 3).
        seen: bool (H, W), False where the person hides the background in every frame: there the image is a smooth guess.
    """

    image: Tensor
    seen: Tensor


def recover_background(frames: Tensor, person: Tensor) -> Plate:
    """Recover the background of a camera that stands still: each pixel's median over the frames in which it is free.

    Args:
        frames: N frames of the clip, uint8 (N, S, S, 3).
        person: mask of the person with a margin, bool (N, S, S).
    """
    free = torch.where(person[..., None], torch.nan, frames.float())
    image, seen = free.nanmedian(0).values, ~person.all(0)
    filled = fill_holes(image.nan_to_num().permute(2, 0, 1), seen.float()).permute(1, 2, 0)
    return Plate(filled.round().clamp(0, 255).to(torch.uint8), seen)
