"""A label that everybody sees: small words in a corner of every frame."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from lit_reenact.provenance import AI_GENERATED

SIZE = 1 / 28
"""Height of the letters as a part of the frame's height."""

LEAST = 10
"""Pixels below which letters cannot be read."""


def labelled(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A copy of a frame, uint8 (H, W, 3), that says in its lower left corner that it is AI-generated."""
    height, width = frame.shape[:2]
    words = _words(max(LEAST, round(height * SIZE)))
    words = words[-height:, :width]
    marked = frame.copy()
    corner = marked[height - words.shape[0] :, : words.shape[1]]
    corner[:] = corner // 3 + words  # white on what is darkened under it: to be read on any picture
    return marked


@lru_cache(maxsize=4)
def _words(size: int) -> npt.NDArray[np.uint8]:
    """What is added to the darkened corner, uint8 (h, w, 1), 0 to 170."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(AI_GENERATED))
    margin = size // 3
    picture = Image.new("L", (right - left + 2 * margin, bottom - top + 2 * margin))
    ImageDraw.Draw(picture).text((margin - left, margin - top), AI_GENERATED, fill=170, font=font)
    return np.asarray(picture, dtype=np.uint8)[..., None]
