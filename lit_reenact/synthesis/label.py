"""A visible label: small words in a corner of every frame."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lit_reenact.provenance import AI_GENERATED
from lit_reenact.video import Frame

LETTER_HEIGHT = 1 / 28
"""Height of the letters as a fraction of the frame's height."""

MIN_LETTER_HEIGHT = 10
"""Height of the letters, in pixels, below which nobody can read them."""


def add_label(frame: Frame) -> Frame:
    """Return a copy of a frame, uint8 (H, W, 3), that says in its lower left corner that it is AI-generated."""
    height, width = frame.shape[:2]
    words = _draw_words(max(MIN_LETTER_HEIGHT, round(height * LETTER_HEIGHT)))
    words = words[-height:, :width]
    marked = frame.copy()
    corner = marked[height - words.shape[0] :, : words.shape[1]]
    corner[:] = corner // 3 + words  # white letters on a darkened corner can be read on any picture
    return marked


@lru_cache(maxsize=4)
def _draw_words(size: int) -> Frame:
    """Draw the brightness that the letters add to the darkened corner: uint8 (h, w, 1) in [0, 170]."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(AI_GENERATED))
    margin = size // 3
    picture = Image.new("L", (right - left + 2 * margin, bottom - top + 2 * margin))
    ImageDraw.Draw(picture).text((margin - left, margin - top), AI_GENERATED, fill=170, font=font)
    return np.asarray(picture, dtype=np.uint8)[..., None]
