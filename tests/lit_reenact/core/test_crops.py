"""Crops around regions: where they lie, what they show, and whom their gradient reaches."""

from __future__ import annotations

import pytest
import torch

from lit_reenact.core.crops import cut_boxes, region_boxes
from lit_reenact.metrics.face_crops import CROP_SIZE, crop_faces


def test_boxes_of_regions_by_hand() -> None:
    region = torch.zeros(2, 20, 30, dtype=torch.bool)
    region[0, 4:10, 5:15] = True  # 10 wide, 6 high
    boxes = region_boxes(region)
    assert boxes[0].tolist() == pytest.approx([10, 7, 12])  # the longer side and a fifth of it
    assert boxes[1].isnan().all()


def test_a_box_of_whole_pixels_is_copied() -> None:
    image = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    crops = cut_boxes(image, torch.tensor([[10.0, 7.0, 8.0], [20.0, 12.0, 8.0]]), 8)
    assert torch.allclose(crops, torch.stack([image[0, :, 3:11, 6:14], image[1, :, 8:16, 16:24]]), atol=1e-5)


def test_beyond_the_border_and_without_a_box() -> None:
    image = torch.arange(64.0).view(1, 1, 8, 8).expand(2, 1, 8, 8)
    corner, middle = cut_boxes(image, torch.tensor([[0.0, 0.0, 4.0], [torch.nan] * 3]), 4)
    assert corner[0].tolist() == pytest.approx(image[0, 0, [0, 0, 0, 1]][:, [0, 0, 0, 1]])
    assert middle[0, 0].tolist() == pytest.approx([4.5, 6.5, 8.5, 10.5])  # means of 2x2 pixels


def test_enlarged_crops_agree_with_those_of_the_metric() -> None:
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    region = torch.zeros(2, 64, 64, dtype=torch.bool)
    region[0, 20:41, 10:37] = True
    assert torch.allclose(cut_boxes(image, region_boxes(region), CROP_SIZE), crop_faces(image, region), atol=1e-4)


def test_the_gradient_stays_in_the_box() -> None:
    image = torch.zeros(1, 3, 32, 32, requires_grad=True)
    region = torch.zeros(1, 32, 32, dtype=torch.bool)
    region[:, 10:20, 12:22] = True  # the box is a pixel wider on each side
    cut_boxes(image, region_boxes(region), 16).sum().backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    assert (image.grad[:, :, 9:21, 11:23] > 0).all()
    image.grad[:, :, 8:22, 10:24] = 0  # places between two pixels take from both
    assert not image.grad.any()
