"""Crops of faces for the networks that measure them."""

from __future__ import annotations

import torch
from kornia.geometry.transform import warp_affine
from torch import Tensor
from torch.nn.functional import avg_pool2d


def similarity_transform(points: Tensor, places: Tensor) -> Tensor:
    """Return the rotation, scale and shift (T, 2, 3) that bring points (T, N, 2) nearest to places (N, 2) (Umeyama 1991)."""
    a, b = (torch.view_as_complex(x.double().contiguous()) for x in (points, places.expand_as(points)))
    from_a, from_b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    turn = (from_a.conj() * from_b).sum(1) / from_a.abs().square().sum(1)
    shift = b.mean(1) - turn * a.mean(1)
    rows = torch.stack([turn.real, -turn.imag, shift.real, turn.imag, turn.real, shift.imag], -1)
    return rows.view(-1, 2, 3).to(points.dtype)


def square_transform(boxes: Tensor, size: int) -> Tensor:
    """Return the scale and shift (T, 2, 3) that bring square boxes to the whole of a picture.

    Args:
        boxes: (T, 3), x and y of the centre and the side, in pixels with centres at half-integers.
        size: side of the picture in pixels.

    Returns:
        Transforms between pixel centres at integers, as ``warp_faces`` takes them.
    """
    x, y, side = boxes.unbind(-1)
    scale, nothing = size / side, torch.zeros_like(side)
    first = torch.stack([scale, nothing, size / 2 - 0.5 - scale * (x - 0.5)], -1)
    second = torch.stack([nothing, scale, size / 2 - 0.5 - scale * (y - 0.5)], -1)
    return torch.stack([first, second], 1)


def warp_faces(images: Tensor, transform: Tensor, size: int, padding: str = "zeros") -> Tensor:
    """Return pictures (T, 3, size, size) cut out of images (T, 3, H, W).

    Where a face is larger than its picture, the picture is sampled finer and averaged, so that nothing aliases.

    Args:
        images: (T, 3, H, W).
        transform: (T, 2, 3) from the image to the picture, pixel centres at integers. One that is not finite, of a face that was
            not detected, gives a picture of something else.
        size: side of the pictures in pixels.
        padding: value outside an image, ``zeros`` or ``border``.
    """
    scale = torch.linalg.det(transform[:, :, :2].double()).abs().sqrt()
    usable = transform.isfinite().flatten(1).all(1) & (scale > 0)
    finer = (1 / scale - 1e-6).ceil().clamp_min(1).where(usable, 1).long()
    pictures = images.new_empty(*images.shape[:2], size, size)
    for factor in finer.unique().tolist():  # each image has its own, so that no picture depends on the rest of its batch
        chosen = finer == factor
        wider = torch.where(usable[chosen, None, None], transform[chosen], torch.eye(2, 3).to(transform)) * factor
        wider[..., 2] += (factor - 1) / 2
        shape = (size * factor, size * factor)
        sampled = warp_affine(images[chosen], wider, shape, padding_mode=padding, align_corners=True)
        pictures[chosen] = avg_pool2d(sampled, factor)
    return pictures
