"""Reference frames on the way into a generator: where each of its pixels lies in them, and their pixels at those places."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, interpolate

from lit_reenact.core.schema import ReferenceMaps, References

FINER = 2
"""Key frames are sampled at this many times the generator's resolution, so that moving them costs little of their sharpness."""

VALIDITY = 4
"""Channels of validity of a reference frame (``ReferenceMaps``); the last marks what it cannot show."""


def prepare_key_frames(images: Tensor, size: int) -> Tensor:
    """Enlarge and smooth key frames so that a single bilinear sample is the mean over a pixel of the generator's frame.

    A pixel of the frame covers ``FINER`` pixels of the key frame to either side. The mean over such a square is computed once for
    every place of the square; sampling the means between pixels then blurs far less than sampling an image of the frame's size.

    Args:
        images: uint8 (K, 3, R, R).
        size: side of the generator's frames in pixels.

    Returns:
        float32 (K, 3, r, r) in [-1, 1], r = ``FINER * size + 1``: corners of pixels, the outermost on the border of the image.
    """
    signed = images.float().div(127.5).sub(1)
    side = FINER * size
    if signed.shape[-1] > side:
        signed = interpolate(signed, size=(side, side), mode="area")
    elif signed.shape[-1] < side:
        signed = interpolate(signed, size=(side, side), mode="bicubic", align_corners=False).clamp(-1, 1)
    return avg_pool2d(signed, FINER, stride=1, padding=FINER // 2, count_include_pad=False)


def place_references(images: Tensor, actor: Tensor, maps: ReferenceMaps, present: Tensor, size: int) -> References:
    """Find the place of each pixel of B frames in each key frame.

    Args:
        images: float32 (A, K, 3, r, r) from ``prepare_key_frames``, of A clips.
        actor: int64 (B,) index of each sample's clip.
        maps: flow and validity of the B frames.
        present: bool (B, K), False where a reference is left out.
        size: side of the generator's frames in pixels.
    """
    count = maps.flow.shape[1]
    both = torch.cat([maps.flow.flatten(1, 2), maps.validity.flatten(1, 2)], 1).float()
    large = interpolate(both, size=(size, size), mode="bilinear", align_corners=False)
    flow, validity = large[:, : 2 * count], large[:, 2 * count :]
    middle = (torch.arange(size, device=flow.device) + 0.5) / size
    y, x = torch.meshgrid(middle, middle, indexing="ij")
    return References(images, actor, flow + torch.stack([x, y]).repeat(count, 1, 1), validity, present.float())


def sample_references(references: References, shift: Tensor | None = None) -> Tensor:
    """Return the pixels of the key frames at their places: float32 (B, K, 3, H, W); 0, grey, where a reference is left out.

    Args:
        references: key frames and the place of each pixel in them.
        shift: (B, 2 K, H, W) to add to the places, as a share of the image's side.
    """
    grid = references.grid if shift is None else references.grid + shift
    samples, _, height, width = grid.shape
    places = grid.float().view(samples, -1, 2, height, width).permute(1, 0, 3, 4, 2) * 2 - 1  # (K, B, H, W, 2)
    if len(references.images) == 1:
        sampled = _sample(references.images[0], places)
    else:
        each = [_sample(references.images[a], places[:, n : n + 1]) for n, a in enumerate(references.actor.tolist())]
        sampled = torch.cat(each, 1)
    return sampled.permute(1, 0, 2, 3, 4) * references.present[:, :, None, None, None]


def _sample(images: Tensor, places: Tensor) -> Tensor:
    """Sample K images (K, 3, r, r) at places (K, B, H, W, 2): (K, B, 3, H, W). All samples of an image lie in one tall image."""
    count, samples, height, width, _ = places.shape
    tall = grid_sample(images, places.reshape(count, samples * height, width, 2), padding_mode="border", align_corners=True)
    return tall.view(count, 3, samples, height, width).transpose(1, 2)
