"""A mesh rasteriser in plain torch: batched, deterministic, the same on every device.

Triangles become spans (one triangle in one image row), spans become pixels, and the nearest pixel wins:

    points -> corners sorted by row -> spans [left, right) -> candidate pixels -> scatter amin of (depth | span) -> Fragments

A pixel belongs to a triangle if its centre lies in the half-open span between the two edges that cross its row. Both
triangles of a shared edge compute that crossing with the same numbers in the same order, so a closed mesh has no holes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

NEAR = 1.0
"""Triangles with a corner nearer than this (mm) are left out; a face lies hundreds of millimetres away."""

CHUNK_PIXELS = 4 * 256 * 256
"""Image pixels drawn at once: this bounds the memory, and the working set stays in a processor's cache."""

_EMPTY = torch.iinfo(torch.int64).max  # depths fill the upper 32 bits, so anything smaller would hide them


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
class _Spans:
    """The rows of all triangles, in the order frame, triangle, row: N spans.

    The corners' barycentric weights over their depths, and their sum 1/depth, are linear along a row: ``line`` holds
    their value at the centre of the first pixel, and the change from one pixel to the next.
    """

    triangle: Tensor  # int64 (N,) index among the B * F triangles
    first: Tensor  # int64 (N,) flat index of the first pixel among the B * H * W
    count: Tensor  # int64 (N,) number of pixels
    line: Tensor  # (N, 2, 3)


@torch.no_grad()
def rasterize(points: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool = True) -> Fragments:
    """Find the nearest triangle of every pixel.

    Args:
        points: (B, V, 3) x and y in pixels (centres at half-integers, y down), depth in mm.
        faces: int64 (F, 3) corners, counter-clockwise as the viewer sees the front.
        height: of the images, pixels.
        width: of the images, pixels.
        cull_backfaces: leave out triangles seen from behind.

    Triangles without area, with a corner that is not finite or nearer than ``NEAR`` are left out. At equal depth the lower
    index wins. The result carries no gradient towards ``points``.
    """
    per_chunk = max(1, CHUNK_PIXELS // max(1, height * width))
    chunks = [_rasterize(chunk, faces, height, width, cull_backfaces) for chunk in torch.split(points.float(), per_chunk)]
    if len(chunks) == 1:
        return chunks[0]
    return Fragments(*(torch.cat([getattr(c, name) for c in chunks]) for name in ("triangle", "barycentric", "depth")))


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
    corners = faces.index_select(0, fragments.triangle.flatten().index_select(0, pixels))  # (P, 3)
    if attributes.dim() == 3:
        image = pixels // fragments.triangle[0].numel()
        corners = corners + (image * attributes.shape[1])[:, None]
    weights = fragments.barycentric.flatten(0, 2).index_select(0, pixels).to(attributes.dtype)  # (P, 3)
    return embedding_bag(corners, attributes.flatten(0, -2), per_sample_weights=weights, mode="sum")


def _rasterize(points: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool) -> Fragments:
    spans = _spans(points[:, faces].flatten(0, 1), len(faces), height, width, cull_backfaces)
    span, offset = _enumerate(spans.count)  # (N,) candidate pixels
    start, step = (v.index_select(0, span) for v in spans.line.sum(-1).unbind(1))
    inverse_depth = start + step * offset
    # The bits of positive floats sort as integers do; the span below them breaks ties and says who won.
    key = (inverse_depth.reciprocal().view(torch.int32).long() << 32) | span
    nearest = torch.full((len(points) * height * width,), _EMPTY, dtype=torch.int64, device=points.device)
    nearest.scatter_reduce_(0, spans.first.index_select(0, span) + offset, key, reduce="amin")

    covered = (nearest != _EMPTY).nonzero().squeeze(-1)  # (P,)
    span = nearest.index_select(0, covered) & 0xFFFFFFFF
    offset = covered - spans.first.index_select(0, span)
    start, step = spans.line.index_select(0, span).unbind(1)  # (P, 3)
    weight = (start + step * offset[:, None]).clamp_min(0)  # rounding at the far edge of a span
    total = weight.sum(-1)
    shape = (len(points), height, width)
    triangle = torch.full_like(nearest, -1).index_copy_(0, covered, spans.triangle.index_select(0, span) % len(faces))
    barycentric = points.new_zeros(len(nearest), 3).index_copy_(0, covered, weight / total[:, None])
    depth = points.new_full((len(nearest),), torch.inf).index_copy_(0, covered, total.reciprocal())
    return Fragments(triangle.view(shape), barycentric.view(*shape, 3), depth.view(shape))


def _spans(corners: Tensor, faces: int, height: int, width: int, cull_backfaces: bool) -> _Spans:
    """Cut triangles (B * F, 3 corners, 3) into rows."""
    drawable = _drawable(corners, cull_backfaces).nonzero().squeeze(-1)  # (D,)
    corners = corners.index_select(0, drawable)
    order = corners[..., 1].argsort(dim=-1, stable=True)  # (D, 3): top, middle, bottom
    back = order.argsort(dim=-1)  # from there to the order of the face's corners
    corners = corners.gather(1, order[..., None].expand(-1, -1, 3))
    first_row, end_row = _pixels(corners[:, 0, 1], height), _pixels(corners[:, 2, 1], height)

    owner, offset = _enumerate(end_row - first_row)  # (N,) spans
    row = first_row.index_select(0, owner) + offset
    x, y, depth = corners.index_select(0, owner).unbind(-1)  # (N, 3)
    inverse_depth = depth.reciprocal()
    centre = row + 0.5
    lower = centre >= y[:, 1]  # past the middle corner: the short edge runs from there to the bottom
    (x0, x1, x2), (y0, y1, y2) = x.unbind(1), y.unbind(1)
    long_x, long_t = _crossing(x0, y0, x2, y2, centre)
    start_x, start_y = torch.where(lower, x1, x0), torch.where(lower, y1, y0)
    short_x, short_t = _crossing(start_x, start_y, torch.where(lower, x2, x1), torch.where(lower, y2, y1), centre)
    long = torch.stack([1 - long_t, torch.zeros_like(long_t), long_t], -1) * inverse_depth  # (N, 3)
    short = torch.stack([(1 - short_t) * ~lower, torch.where(lower, 1 - short_t, short_t), short_t * lower], -1) * inverse_depth

    swap = (short_x < long_x)[:, None]
    left, right = torch.minimum(long_x, short_x), torch.maximum(long_x, short_x)
    at_left, at_right = torch.where(swap, short, long), torch.where(swap, long, short)
    column = _pixels(left, width)
    step = (at_right - at_left) / (right - left).clamp_min(1e-6)[:, None]
    weight = at_left + step * (column + 0.5 - left)[:, None]
    triangle, back = drawable.index_select(0, owner), back.index_select(0, owner)
    return _Spans(
        triangle=triangle,
        first=(triangle // faces * height + row) * width + column,
        count=_pixels(right, width) - column,
        line=torch.stack([weight.gather(1, back), step.gather(1, back)], 1),
    )


def _drawable(corners: Tensor, cull_backfaces: bool) -> Tensor:
    """Which triangles (N, 3, 3) face the viewer, have an area and lie in front of the camera: bool (N,)."""
    a, b, c = corners[..., :2].unbind(1)
    clockwise = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])  # y points down
    facing = clockwise < 0 if cull_backfaces else clockwise != 0
    return facing & (corners[..., 2] >= NEAR).all(-1) & corners.isfinite().flatten(1).all(-1)


def _crossing(x0: Tensor, y0: Tensor, x1: Tensor, y1: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Where the edge from (x0, y0) down to (x1, y1) meets the row ``y``: its x, and how far along the edge, 0 to 1."""
    along = (y - y0) / (y1 - y0)
    return x0 + along * (x1 - x0), along


def _pixels(coordinate: Tensor, size: int) -> Tensor:
    """The first pixel whose centre is not before ``coordinate``, within the image: int64 in [0, size]."""
    return (coordinate - 0.5).ceil().clamp(0, size).long()


def _enumerate(counts: Tensor) -> tuple[Tensor, Tensor]:
    """For counts (N,), the group of each of their sum elements and its place in the group: (2, 0, 1) -> (0, 0, 2), (0, 1, 0)."""
    group = torch.repeat_interleave(counts)
    start = counts.cumsum(0) - counts
    return group, torch.arange(len(group), device=counts.device) - start.index_select(0, group)
