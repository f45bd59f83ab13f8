"""A mesh rasterizer: batched, deterministic, differentiable in the attributes that are spread over the pixels.

Two implementations find the same triangles by the same rules: ``span_rasterizer`` in torch, and ``compiled`` for processors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from lit_reenact.rendering import backend, span_rasterizer

CHUNK_PIXELS = 4 * 256 * 256
"""Image pixels drawn at once on a CPU: bounds the memory, and the working set stays in the processor's cache."""

GPU_CHUNKS = 64
"""Chunks drawn at once on a GPU, which would otherwise mostly wait for the next command."""


@dataclass(frozen=True)
class Fragments:
    """The nearest triangle of every pixel.

    Attributes:
        triangle: int64 (B, H, W), index of the triangle, -1 where there is none.
        barycentric: float32 (B, H, W, 3), perspective-correct weights of the triangle's corners, sum 1; 0 where empty.
        depth: float32 (B, H, W), mm; inf where empty.
    """

    triangle: Tensor
    barycentric: Tensor
    depth: Tensor


@dataclass(frozen=True)
class Hits:
    """``Fragments`` without the empty pixels: P covered pixels in ascending order.

    Attributes:
        pixel: int64 (P,), flat index among all B * H * W pixels.
        triangle: int64 (P,), index of the nearest triangle.
        barycentric: float32 (P, 3), perspective-correct weights of the triangle's corners, sum 1.
        depth: float32 (P,), mm.
    """

    pixel: Tensor
    triangle: Tensor
    barycentric: Tensor
    depth: Tensor


def rasterize(points: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool = True) -> Fragments:
    """Find the nearest triangle of every pixel.

    Args:
        points: (B, V, 3) x and y in pixels (centres at half-integers, y down), depth in mm.
        faces: int64 (F, 3), corners of the triangles, counter-clockwise for a viewer of the front.
        height: height of the images in pixels.
        width: width of the images in pixels.
        cull_backfaces: leave out triangles seen from behind.

    Triangles without area, and those with a corner that is not finite or nearer than ``span_rasterizer.NEAR``, are left out. At
    equal depth the lower index wins. The result carries no gradient towards ``points``.
    """
    hits = find_hits(points, faces, height, width, cull_backfaces)
    shape, pixels = (len(points), height, width), len(points) * height * width
    triangle = hits.triangle.new_full((pixels,), -1).index_copy_(0, hits.pixel, hits.triangle)
    barycentric = hits.barycentric.new_zeros(pixels, 3).index_copy_(0, hits.pixel, hits.barycentric)
    depth = hits.depth.new_full((pixels,), torch.inf).index_copy_(0, hits.pixel, hits.depth)
    return Fragments(triangle.view(shape), barycentric.view(*shape, 3), depth.view(shape))


@torch.no_grad()
def find_hits(points: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool = True) -> Hits:
    """Find the nearest triangle of every covered pixel; the arguments are those of ``rasterize``."""
    draw = (backend.kernels(points.device) or span_rasterizer).find_hits
    step = images_per_chunk(height, width, points.device)
    chunks = [Hits(*draw(chunk, faces, height, width, cull_backfaces)) for chunk in torch.split(points.float(), step)]
    if len(chunks) == 1:
        return chunks[0]
    for number, chunk in enumerate(chunks):
        chunk.pixel.add_(number * step * height * width)
    return Hits(*(torch.cat([getattr(chunk, field.name) for chunk in chunks]) for field in fields(Hits)))


def images_per_chunk(height: int, width: int, device: torch.device) -> int:
    """Return the number of images of a size that are drawn at once, at least 1."""
    chunks = 1 if device.type == "cpu" else GPU_CHUNKS
    return max(1, chunks * CHUNK_PIXELS // max(1, height * width))


def interpolate(fragments: Fragments, attributes: Tensor, faces: Tensor) -> Tensor:
    """Spread vertex attributes over the pixels; differentiable in them.

    Args:
        fragments: rasterized triangles of B images.
        attributes: (V, C) for all images, or (B, V, C).
        faces: int64 (F, 3), the triangles that were rasterized.

    Returns:
        (B, C, H, W), 0 where there is no triangle.

    Example:
        >>> fragments = rasterize(points, faces, height=256, width=256)
        >>> image = interpolate(fragments, colours, faces)
    """
    covered = (fragments.triangle.flatten() >= 0).nonzero().squeeze(-1)  # (P,)
    values = interpolate_at(covered, fragments, attributes, faces)  # (P, C)
    image = values.new_zeros(fragments.triangle.numel(), values.shape[-1]).index_copy(0, covered, values)
    return image.view(*fragments.triangle.shape, values.shape[-1]).permute(0, 3, 1, 2)


def interpolate_at(pixels: Tensor, fragments: Fragments, attributes: Tensor, faces: Tensor) -> Tensor:
    """Spread vertex attributes over some covered pixels: flat indices int64 (P,) among all B * H * W to values (P, C)."""
    triangle = fragments.triangle.flatten().index_select(0, pixels)
    barycentric = fragments.barycentric.flatten(0, 2).index_select(0, pixels)
    hits = Hits(pixels, triangle, barycentric, fragments.depth.flatten().index_select(0, pixels))
    return interpolate_hits(hits, attributes, faces, fragments.triangle.shape[1:].numel())


def interpolate_hits(hits: Hits, attributes: Tensor, faces: Tensor, image_pixels: int) -> Tensor:
    """Spread vertex attributes over covered pixels.

    Args:
        hits: P covered pixels of B images.
        attributes: (V, C) for all images, or (B, V, C).
        faces: int64 (F, 3), the triangles that were rasterized.
        image_pixels: number of pixels of one image, H * W.

    Returns:
        (P, C).
    """
    corners = faces.index_select(0, hits.triangle)  # (P, 3)
    if attributes.dim() == 3:
        corners = corners + (hits.pixel // image_pixels * attributes.shape[1])[:, None]
    weights = hits.barycentric.to(attributes.dtype)
    return embedding_bag(corners, attributes.flatten(0, -2), per_sample_weights=weights, mode="sum")
