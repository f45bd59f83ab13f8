"""Optical flow of pictures that were moved by known amounts."""

from __future__ import annotations

import pytest
import torch
from skimage.data import astronaut

from lit_reenact.video.optical_flow import optical_flow


def test_it_tells_where_a_pixel_was() -> None:
    picture = torch.from_numpy(astronaut()).permute(2, 0, 1)
    first, second = picture[:, 40:168, 160:288], picture[:, 42:170, 155:283]  # the portrait moved 5 to the right and 2 up
    flow = optical_flow(torch.stack([first, second, first]), torch.tensor([False, True, False]))
    assert flow.shape == (3, 2, 128, 128)
    assert flow[[0, 2]].isnan().all()
    right, down = flow[1, :, 20:-20, 20:-20].float().flatten(1).median(1).values.tolist()
    assert right == pytest.approx(-5, abs=0.1)
    assert down == pytest.approx(2, abs=0.1)
