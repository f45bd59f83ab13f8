"""Crops of faces, against pixels worked out by hand."""

from __future__ import annotations

import torch

from lit_reenact.metrics.alignment import square_transform, warp_faces


def test_a_box_of_the_pictures_size_is_cut_out_as_it_is() -> None:
    images = torch.rand(2, 3, 20, 20)
    boxes = torch.tensor([[10.0, 8.0, 8.0], [6.0, 12.0, 8.0]])
    first, second = warp_faces(images, square_transform(boxes, 8), 8)
    assert torch.allclose(first, images[0, :, 4:12, 6:14], atol=1e-6)
    assert torch.allclose(second, images[1, :, 8:16, 2:10], atol=1e-6)


def test_a_face_larger_than_its_picture_is_averaged() -> None:
    checkers = (torch.arange(16)[:, None] + torch.arange(16)).remainder(2).float().expand(1, 3, 16, 16)
    small = warp_faces(checkers, square_transform(torch.tensor([[8.0, 8.0, 16.0]]), 4), 4)
    assert torch.allclose(small, torch.full_like(small, 0.5), atol=1e-6)


def test_outside_the_image_it_is_black_or_continues_the_border() -> None:
    images, boxes = torch.full((1, 3, 8, 8), 0.7), torch.tensor([[0.0, 4.0, 8.0]])
    transform = square_transform(boxes, 8)
    black, continued = (warp_faces(images, transform, 8, padding) for padding in ("zeros", "border"))
    assert not black[..., :3].any()
    assert torch.allclose(continued, torch.full_like(continued, 0.7), atol=1e-6)
