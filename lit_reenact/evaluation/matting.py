"""The person alone on a plain background, for comparisons with systems that draw no background."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.landmarks.person import PersonSegmenter, main_regions
from lit_reenact.tracking.tracked_clip import TrackedClip

WHITE = 255
"""Level of the plain background; white, as in INSTA and FlashAvatar."""

LEAST_SHARE = 0.02
"""Share of a frame below which a mask holds no person. A working clip is cut around a face, which is far larger."""


def find_person(target: TrackedClip, frames: range, real: Tensor) -> Tensor:
    """Return masks of the person in real frames: bool (N, S, S), one connected region each.

    Args:
        target: clip that the frames belong to.
        frames: numbers of the N frames in the clip.
        real: real frames, uint8 (N, S, S, 3).

    Raises:
        ReenactError: no person is found in a frame whose face is known.
    """
    masks = main_regions(PersonSegmenter()(real))
    known = target.track.valid[frames.start : frames.stop]
    missing = known & (masks.float().mean((1, 2)) < LEAST_SHARE)
    if missing.any():
        number = frames[int(missing.nonzero()[0])]
        raise ReenactError(
            f"{target.clip}: no person is found in frame {number} ({int(missing.sum())} such frames), so --matted cannot tell "
            "the person from the background: leave the option out"
        )
    return masks


def matte(frames: Tensor, masks: Tensor) -> Tensor:
    """Return frames, uint8 (N, S, S, 3), that are white wherever the masks, bool (N, S, S), are False."""
    return torch.where(masks[..., None], frames, torch.tensor(WHITE, dtype=torch.uint8))
