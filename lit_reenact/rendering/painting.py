"""From the samples that a mesh covers to images: lit and textured skin, and pixels that show the mean of their samples."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from lit_reenact.rendering import backend
from lit_reenact.rendering.rasterizer import Hits, interpolate_hits
from lit_reenact.schema import CONDITIONING_CHANNELS


def textured(hits: Hits, attributes: Tensor, faces: Tensor, texture: Tensor, image_pixels: int) -> Tensor:
    """What a lit and textured mesh shows.

    Args:
        hits: P covered pixels of B images.
        attributes: (B, V, 8) of the vertices: light, a colour, and texture coordinates u to the right and v down in [0, 1].
        faces: int64 (F, 3), those that were rasterised.
        texture: (3, H, W) reflectance.
        image_pixels: of each of the B images.

    Returns:
        (P, 9) light times reflectance, within [0, 1]; the other colour; and 0, for skin is nothing of the eyes.
    """
    if (compiled := backend.kernels(texture.device)) is not None:
        painted: Tensor = compiled.textured(hits.pixel, hits.triangle, hits.barycentric, attributes, faces, texture, image_pixels)
        return painted
    light, colour, uv = torch.split(interpolate_hits(hits, attributes, faces, image_pixels), [3, 3, 2], dim=1)
    grid = (uv * 2 - 1)[None, None]  # (1, 1, P, 2)
    albedo = grid_sample(texture[None], grid, padding_mode="border", align_corners=False)[0, :, 0]  # (3, P)
    return pad(torch.cat([(albedo.T * light).clamp(0, 1), colour], 1), [0, CONDITIONING_CHANNELS - 6])


def pooled(values: Tensor, pixel: Tensor, shape: tuple[int, int, int], samples: int) -> Tensor:
    """Images whose pixels show the mean of their samples.

    Args:
        values: (P, C) in [0, 1] of the covered samples; of the others they are 0.
        pixel: int64 (P,) ascending, where they lie: flat index among B * (samples * H) * (samples * W).
        shape: B, H, W.
        samples: along each side of a pixel.

    Returns:
        uint8 (B, C, H, W).
    """
    if (compiled := backend.kernels(values.device)) is not None:
        images: Tensor = compiled.pooled(values, pixel, shape, samples)
        return images
    frames, height, width = shape
    row = torch.arange(frames * height, device=pixel.device).repeat_interleave(samples)
    column = torch.arange(width, device=pixel.device).repeat_interleave(samples)
    place = (row[:, None] * width + column).flatten().index_select(0, pixel)  # divisions of whole numbers take longer
    # Sums of whole numbers do not depend on their order, which differs from run to run on a GPU.
    sums = values.new_zeros(frames * height * width, values.shape[1]).index_add_(0, place, (values * 255).round_())
    return sums.div_(samples**2).round_().to(torch.uint8).view(frames, height, width, -1).permute(0, 3, 1, 2)
