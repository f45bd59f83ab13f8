"""The label is small, stands in the corner, and can be read on any picture."""

from __future__ import annotations

import numpy as np
import pytest

from lit_reenact.synthesis import add_label


@pytest.mark.parametrize(("height", "width"), [(128, 128), (128, 384), (1080, 1920)])
@pytest.mark.parametrize("shade", [0, 255])
def test_small_and_of_high_contrast(shade: int, height: int, width: int) -> None:
    frame = np.full((height, width, 3), shade, np.uint8)
    marked = add_label(frame)
    assert (frame == shade).all()
    where = (marked != frame).any(-1)
    rows, columns = where.any(1).nonzero()[0], where.any(0).nonzero()[0]
    assert rows.min() > 0.85 * height
    assert columns.max() < max(0.3 * width, 90)
    written = marked[rows.min() :, : columns.max() + 1]
    assert int(written.max()) - int(written.min()) >= 160


def test_a_frame_smaller_than_the_words() -> None:
    assert add_label(np.zeros((8, 20, 3), np.uint8)).shape == (8, 20, 3)
