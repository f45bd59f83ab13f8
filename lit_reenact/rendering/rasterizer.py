"""A mesh rasteriser: batched, deterministic, differentiable in what is spread over the pixels.

Two implementations find the same triangles by the same rules: ``span_rasterizer`` in torch, and ``compiled`` for processors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from lit_reenact.rendering import backend, span_rasterizer

CHUNK_PIXELS = 4 * 256 * 256
"""Image pixels drawn at once: this bounds the memory, and the working set stays in a processor's cache."""

GPU_CHUNKS = 64
"""As many chunks are drawn at once on a GPU, which else would mostly wait for the next command."""


@dataclass(frozen=True)
class Fragments:
    """What a rasterised mesh leaves in every pixel.

    Attributes:
        triangle: int64 (B, H, W), index of the nearest triangle; -1 where there is none.
        barycentric: float32 (B, H, W, 3), perspective-correct weights of its corners, sum 1; 0 where empty.
        depth: float32 (B, H, W), mm; inf where empty.
    """

    triangle: Tensor
    barycentric: Tensor
    depth: Tensor


@dataclass(frozen=True)
class Hits:
    """``Fragments`` without the empty pixels: P covered ones, in the order of their place.

    Attributes:
        pixel: int64 (P,), flat index among all B * H * W.
        triangle: int64 (P,).
        barycentric: float32 (P, 3).
        depth: float32 (P,).
    """

    pixel: Tensor
    triangle: Tensor
    barycentric: Tensor
    depth: Tensor


def rasterize(points: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool = True) -> Fragments:
    """Find the nearest triangle of every pixel.

    Args:
        points: (B, V, 3) x and y in pixels (centres at half-integers, y down), depth in mm.
        faces: int64 (F, 3) corners, counter-clockwise as the viewer sees the front.
        height: of the images, pixels.
        width: of the images, pixels.
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
    """As ``rasterize``, for who needs the covered pixels alone."""
    draw = (backend.kernels(points.device) or span_rasterizer).find_hits
    step = frames_at_once(height, width, points.device)
    chunks = [Hits(*draw(chunk, faces, height, width, cull_backfaces)) for chunk in torch.split(points.float(), step)]
    if len(chunks) == 1:
        return chunks[0]
    for number, chunk in enumerate(chunks):
        chunk.pixel.add_(number * step * height * width)
    return Hits(*(torch.cat([getattr(chunk, field.name) for chunk in chunks]) for field in fields(Hits)))


def frames_at_once(height: int, width: int, device: torch.device) -> int:
    """How many images of a size are drawn at once."""
    chunks = 1 if device.type == "cpu" else GPU_CHUNKS
    return max(1, chunks * CHUNK_PIXELS // max(1, height * width))


def interpolate(fragments: Fragments, attributes: Tensor, faces: Tensor) -> Tensor:
    """Spread vertex attributes over the pixels; differentiable in them.

    Args:
        fragments: of B images.
        attributes: (V, C), or (B, V, C) where each image has its own.
        faces: int64 (F, 3), those that were rasterised.

    Returns:
        (B, C, H, W), 0 where no triangle is.
    """
    covered = (fragments.triangle.flatten() >= 0).nonzero().squeeze(-1)  # (P,)
    values = interpolate_at(covered, fragments, attributes, faces)  # (P, C)
    image = values.new_zeros(fragments.triangle.numel(), values.shape[-1]).index_copy(0, covered, values)
    return image.view(*fragments.triangle.shape, -1).permute(0, 3, 1, 2)


def interpolate_at(pixels: Tensor, fragments: Fragments, attributes: Tensor, faces: Tensor) -> Tensor:
    """As ``interpolate``, in some of the covered pixels alone: flat indices among all B * H * W, int64 (P,), to (P, C)."""
    triangle = fragments.triangle.flatten().index_select(0, pixels)
    barycentric = fragments.barycentric.flatten(0, 2).index_select(0, pixels)
    hits = Hits(pixels, triangle, barycentric, fragments.depth.flatten().index_select(0, pixels))
    return interpolate_hits(hits, attributes, faces, fragments.triangle[0].numel())


def interpolate_hits(hits: Hits, attributes: Tensor, faces: Tensor, image_pixels: int) -> Tensor:
    """As ``interpolate``, in covered pixels of images with ``image_pixels`` pixels each: (P, C)."""
    corners = faces.index_select(0, hits.triangle)  # (P, 3)
    if attributes.dim() == 3:
        corners = corners + (hits.pixel // image_pixels * attributes.shape[1])[:, None]
    weights = hits.barycentric.to(attributes.dtype)
    return embedding_bag(corners, attributes.flatten(0, -2), per_sample_weights=weights, mode="sum")
