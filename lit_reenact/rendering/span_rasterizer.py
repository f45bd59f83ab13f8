"""The rasterizer in plain torch, the same on every device.

Triangles become spans (one triangle in one image row), spans become pixels, and the nearest pixel wins:

    points -> triangles sorted by row -> spans [left, right) -> candidate pixels -> scatter amax of (1 / depth | span) -> hits

A pixel belongs to a triangle if its centre lies in the half-open span between the two edges that cross its row. Both
triangles of a shared edge compute that crossing with the same numbers in the same order, so a closed mesh has no holes.
Places are computed in float64, which holds the area of the thinnest triangle between float32 coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NEAR = 1.0
"""Least depth of a corner in mm: triangles with a nearer one are left out. A face lies hundreds of millimetres away."""


@dataclass(frozen=True)
class Triangles:
    """D triangles that can be drawn. Across each, the flat barycentric weights of corners 1 and 2, and 1/depth, are linear.

    Attributes:
        number: int64 (D,), index among the B * F triangles.
        x: float64 (3, D), x of the corners in pixels.
        y: float64 (3, D), y of the corners in pixels.
        inverse_depth: float64 (3, D), 1/depth of the corners in 1/mm.
        along_x: float64 (3, D), change of weight 1, weight 2 and 1/depth from one column to the next.
        along_y: float64 (3, D), change of weight 1, weight 2 and 1/depth from one row to the next.
    """

    number: Tensor
    x: Tensor
    y: Tensor
    inverse_depth: Tensor
    along_x: Tensor
    along_y: Tensor


@dataclass(frozen=True)
class Spans:
    """N spans, the rows of triangles, ordered by triangle and then by row.

    Attributes:
        triangle: int64 (N,), index among the D triangles.
        first: int64 (N,), flat index of the first pixel among the B * H * W.
        count: int64 (N,), number of pixels.
        start: float32 (3, N), weight 1, weight 2 and 1/depth at the centre of the first pixel.
    """

    triangle: Tensor
    first: Tensor
    count: Tensor
    start: Tensor


@dataclass(frozen=True)
class Nearest:
    """The spans of B images, and the nearest one in each pixel.

    Attributes:
        triangles: the triangles that can be drawn.
        spans: the rows of the triangles.
        key: int64 (B * H * W,), 1/depth and number of the nearest span, 0 where there is none.
    """

    triangles: Triangles
    spans: Spans
    key: Tensor

    def span(self, pixels: Tensor) -> Tensor:
        """Return the number of the nearest span, int64 (...), in covered pixels, flat indices int64 (...)."""
        return -take(self.key, pixels) & 0xFFFFFFFF


def find_hits(
    points: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the fields of ``rasterizer.Hits``; the arguments are those of ``rasterizer.find_hits``."""
    nearest = find_nearest(points, faces, height, width, cull_backfaces)
    triangles, spans = nearest.triangles, nearest.spans
    along_x = triangles.along_x.float()
    pixel = nearest.key.nonzero().squeeze(-1)  # (P,)
    span = nearest.span(pixel)
    offset = pixel - take(spans.first, span)
    drawn = take(spans.triangle, span)
    second, third = (take(spans.start[k], span) + take(along_x[k], drawn) * offset for k in (0, 1))
    inverse = (take(inverse, drawn) for inverse in triangles.inverse_depth.float())
    barycentric, depth = perspective_correct(second, third, tuple(inverse))
    return pixel, take(triangles.number % max(1, len(faces)), drawn), barycentric, depth


def perspective_correct(second: Tensor, third: Tensor, inverse_depths: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Turn weights in the image into weights in space.

    Args:
        second: (P,), weight of corner 1 in the image.
        third: (P,), weight of corner 2 in the image.
        inverse_depths: 1/depth of the three corners, (P,) each.

    Returns:
        Weights of the three corners in space, (P, 3), sum 1, and depth (P,).
    """
    # Rounding may lead a little beyond the edges.
    flat = (weight.clamp_min(0) for weight in (1 - second - third, second, third))
    weights = [weight * inverse for weight, inverse in zip(flat, inverse_depths, strict=True)]
    depth = (weights[0] + weights[1] + weights[2]).reciprocal()
    barycentric = depth.new_empty(len(depth), 3)
    for corner, weight in enumerate(weights):
        torch.mul(weight, depth, out=barycentric[:, corner])  # five times as fast as a stack
    return barycentric, depth


def find_nearest(points: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool) -> Nearest:
    """Find the nearest span of every pixel; the arguments are those of ``rasterizer.rasterize``."""
    triangles = _triangles(points.double(), faces, cull_backfaces)
    spans = _spans(triangles, len(faces), height, width)
    span, offset = _enumerate(spans.count)  # (N,) candidate pixels
    pixel = take(spans.first, span) + offset
    step = take(triangles.along_x[2].float(), spans.triangle)
    inverse_depth = take(spans.start[2], span) + take(step, span) * offset
    # The bits of positive floats sort like integers; the span in the lower bits breaks ties and names the winner.
    key = (inverse_depth.view(torch.int32).long() << 32) - span
    nearest = torch.zeros(len(points) * height * width, dtype=torch.int64, device=points.device)
    return Nearest(triangles, spans, nearest.scatter_reduce_(0, pixel, key, reduce="amax"))


def _triangles(points: Tensor, faces: Tensor, cull_backfaces: bool) -> Triangles:
    """Select the triangles of points float64 (B, V, 3) that face the viewer, have an area and lie in front of the camera."""
    images, vertices = points.shape[:2]
    sound = points.isfinite().all(-1) & (points[..., 2] >= NEAR)  # (B, V)
    first = torch.arange(0, images * vertices, max(1, vertices), device=points.device)
    corners = (faces.T[:, None] + first[:, None]).flatten(1)  # (3, B * F)
    x, y, depth = (take(v, corners) for v in points.flatten(0, 1).unbind(-1))  # (3, B * F)
    (x1, x2), (y1, y2) = x[1:] - x[0], y[1:] - y[0]
    area = x1 * y2 - x2 * y1  # positive if clockwise, as y points down
    drawable = (area < 0 if cull_backfaces else area != 0) & take(sound.flatten(), corners).all(0)
    number = drawable.nonzero().squeeze(-1)

    x, y, depth = (v.index_select(1, number) for v in (x, y, depth))
    (x1, x2), (y1, y2), area = x[1:] - x[0], y[1:] - y[0], take(area, number)
    inverse = depth.reciprocal()
    slopes = []
    for second, third in ((y2, -y1), (-x2, x1)):
        second, third = second / area, third / area
        slopes.append(torch.stack([second, third, second * (inverse[1] - inverse[0]) + third * (inverse[2] - inverse[0])]))
    return Triangles(number, x, y, inverse, *slopes)


def _spans(triangles: Triangles, faces: int, height: int, width: int) -> Spans:
    """Cut triangles into spans; ``faces`` is the number of triangles of one image."""
    top, middle, bottom = _sort_by_row(triangles.x, triangles.y)
    rows = torch.stack([_pixels(y, height) for _, y in (top, middle, bottom)], -1)  # (D, 3)
    half, offset = _enumerate(rows.diff(dim=1).flatten())  # (N,); a triangle has a half above its middle corner, one below
    row = take(rows[:, :2].flatten(), half) + offset
    owner = half >> 1

    upper, lower, long = _edge(top, middle), _edge(middle, bottom), _edge(top, bottom)
    short = [torch.stack(pair, -1).flatten() for pair in zip(upper, lower, strict=True)]
    crossings = [_crossing([take(v, of) for v in edge], row + 0.5) for edge, of in ((short, half), (long, owner))]
    left, end = _pixels(torch.minimum(*crossings), width), _pixels(torch.maximum(*crossings), width)

    x, y = left + 0.5 - take(triangles.x[0], owner), row + 0.5 - take(triangles.y[0], owner)
    start = [take(dx, owner) * x + take(dy, owner) * y for dx, dy in zip(triangles.along_x, triangles.along_y, strict=True)]
    start[2] = start[2] + take(triangles.inverse_depth[0], owner)
    first = (take(triangles.number // max(1, faces) * height, owner) + row) * width + left
    return Spans(owner, first, end - left, torch.stack(start).float())


_Point = tuple[Tensor, Tensor]
"""x and y of one point of each triangle, (D,) each."""


def _sort_by_row(x: Tensor, y: Tensor) -> tuple[_Point, _Point, _Point]:
    """Return the corners, (3, D) each of x and y, from the top to the bottom of each triangle."""
    a, b, c = zip(x, y, strict=True)
    a, b = _order(a, b)
    b, c = _order(b, c)
    a, b = _order(a, b)
    return a, b, c


def _order(a: _Point, b: _Point) -> tuple[_Point, _Point]:
    """Return the upper point, then the lower one."""
    wrong = b[1] < a[1]
    upper = torch.where(wrong, b[0], a[0]), torch.where(wrong, b[1], a[1])
    lower = torch.where(wrong, a[0], b[0]), torch.where(wrong, a[1], b[1])
    return upper, lower


def _edge(a: _Point, b: _Point) -> tuple[Tensor, Tensor, Tensor]:
    """Return the edge from a down to b: x and y of a, and the change of x by row."""
    return *a, (b[0] - a[0]) / (b[1] - a[1])


def _crossing(edge: list[Tensor], y: Tensor) -> Tensor:
    """Return the x where edges meet the rows ``y``."""
    return edge[0] + (y - edge[1]) * edge[2]


def _pixels(coordinate: Tensor, size: int) -> Tensor:
    """Return the first pixel whose centre is not before ``coordinate``, int64 in [0, size]."""
    return (coordinate - 0.5).ceil().clamp(0, size).long()


def take(values: Tensor, index: Tensor) -> Tensor:
    """Return elements of values (N,) in the shape of ``index``."""
    return values.index_select(0, index.flatten()).view(index.shape)


def _enumerate(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Number the elements of groups with counts (N,): group and place in it of each, (2, 0, 1) -> (0, 0, 2), (0, 1, 0)."""
    group = torch.repeat_interleave(counts)
    start = counts.cumsum(0) - counts
    return group, torch.arange(len(group), device=counts.device) - take(start, group)
