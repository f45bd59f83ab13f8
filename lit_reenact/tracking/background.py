"""The background behind a person, recovered from the frames in which the person did not hide it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.landmarks.person import grow
from lit_reenact.tracking.photometric import fill_holes

ENOUGH = 8
"""Number of frames without the person from which on a pixel of the background is certain."""

TOLERANCE = 16
"""Difference from the median, in grey levels of the worst channel, up to which a frame shows the same background."""

AGREEMENT = (0.75, 0.95)
"""Shares of a pixel's frames that show the same, below which it is no background and above which it surely is."""

FAINT = 1e-3
"""Weight, in filling, of pixels that were seen but are no background: they count where nothing better is near."""

UNSURE_AROUND = 1 / 64
"""Width of the strip around pixels that are no background, as a fraction of the image's side, which is unsure too: soft edges."""

ROWS = 8
"""Rows of pixels that are handled at once, which bounds the memory."""


@dataclass(frozen=True)
class Plate:
    """A background without the person (a clean plate).

    Attributes:
        image: the background, uint8 (H, W, 3).
        confidence: float32 (H, W) in [0, 1], how surely the background was seen there; where it is 0 the image is a smooth guess.
    """

    image: Tensor
    confidence: Tensor


def recover_background(frames: Tensor, person: Tensor) -> Plate:
    """Recover the background of a camera that stands still: each pixel's median over the frames in which it is free.

    Hair that the mask misses moves, so pixels whose free frames disagree are filled from their surroundings as well.

    Args:
        frames: N frames of the clip, uint8 (N, H, W, 3).
        person: mask of the person with a margin, bool (N, H, W).
    """
    blocks = zip(torch.split(frames, ROWS, 1), torch.split(person, ROWS, 1), strict=True)
    image, agreement = map(torch.cat, zip(*(_median(*block) for block in blocks), strict=True))
    count = (~person).sum(0)
    unsteady = grow(((count > 0) & (agreement == 0))[None], max(1, round(UNSURE_AROUND * frames.shape[2])))[0]
    agreement = agreement * ~unsteady
    if not count.any():
        image = frames.float().mean((0, 1, 2)).expand_as(image)
    weight = torch.where(count > 0, agreement.clamp_min(FAINT), 0.0 if count.any() else 1.0)
    filled = fill_holes(image.permute(2, 0, 1), weight).permute(1, 2, 0)
    confidence = agreement * (count / min(ENOUGH, len(frames))).clamp_max(1)
    return Plate(filled.round().clamp(0, 255).to(torch.uint8), confidence)


def _median(frames: Tensor, person: Tensor) -> tuple[Tensor, Tensor]:
    """Return the median of each pixel's free frames, float (h, W, 3), and how far they agree, (h, W) in [0, 1]; 0 without any."""
    free = ~person
    levels = frames.float()
    median = torch.where(free[..., None], levels, torch.nan).nanmedian(0).values.nan_to_num()
    same = free & ((levels - median).abs().amax(-1) <= TOLERANCE)
    share = same.sum(0) / free.sum(0).clamp_min(1)
    return median, ((share - AGREEMENT[0]) / (AGREEMENT[1] - AGREEMENT[0])).clamp(0, 1)
