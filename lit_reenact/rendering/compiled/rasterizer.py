"""The rasterizer, compiled: the rules and sums of ``span_rasterizer``, a triangle at a time."""

from __future__ import annotations

import numpy as np

from lit_reenact.rendering.compiled.jit import ONE, ZERO, Corner, Floats, Indices, Ints, Number, Numbers, inline, kernel
from lit_reenact.rendering.span_rasterizer import NEAR

Window = tuple[int, int, int, int]
"""Part of an image: first row, end row, first column, end column. The end is the one after the last."""


@kernel
def bounds(points: Floats, step: int, height: int, width: int) -> Window:
    """Return the smallest window that holds all points, in whole blocks of ``step`` pixels.

    Args:
        points: float32 (N, 3), x and y in pixels; one that is not finite makes the window the whole image.
        step: side of a block in pixels.
        height: height of the image in pixels.
        width: width of the image in pixels.
    """
    left = top = np.float64(np.inf)
    right = bottom = -np.float64(np.inf)
    for point in range(len(points)):
        x, y = points[np.uint64(point), 0], points[np.uint64(point), 1]
        if not (np.isfinite(x) and np.isfinite(y)):
            return 0, height, 0, width
        left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
    first_row, first_column = _pixel(top, 0, height) // step * step, _pixel(left, 0, width) // step * step
    end_row, end_column = _pixel(bottom, 0, height), _pixel(right, 0, width)
    return first_row, -(-end_row // step) * step, first_column, -(-end_column // step) * step


@kernel
def draw(points: Floats, faces: Indices, window: Window, cull: bool, nearest: Floats, drawn: Numbers) -> None:
    """Rasterize one image.

    Args:
        points: float32 (V, 3), x and y in pixels, depth in mm.
        faces: uint32 (F, 3), corners of the triangles.
        window: part of the image that is drawn.
        cull: leave out triangles seen from behind.
        nearest: float32 (H, W), scratch memory for 1 / depth.
        drawn: int32 (H, W), output within the window: index of the nearest triangle, -1 where there is none.
    """
    first_row, end_row, first_column, end_column = window
    nearest[first_row:end_row, first_column:end_column] = 0
    drawn[first_row:end_row, first_column:end_column] = -1
    for face in range(len(faces)):
        p, q, r = faces[np.uint64(face), 0], faces[np.uint64(face), 1], faces[np.uint64(face), 2]
        x, y, z0 = np.float64(points[p, 0]), np.float64(points[p, 1]), np.float64(points[p, 2])
        x1, y1, z1 = np.float64(points[q, 0]), np.float64(points[q, 1]), np.float64(points[q, 2])
        x2, y2, z2 = np.float64(points[r, 0]), np.float64(points[r, 1]), np.float64(points[r, 2])
        ux, uy, vx, vy = x1 - x, y1 - y, x2 - x, y2 - y
        area = ux * vy - vx * uy  # positive if clockwise, as y points down; not finite if any of the coordinates is not
        if not (_faces_viewer(area, cull) and _in_front(z0) and _in_front(z1) and _in_front(z2)):
            continue
        x0, y0, x1, y1, x2, y2 = _sort_by_row(x, y, x1, y1, x2, y2)
        row, turn, last = _pixel(y0, first_row, end_row), _pixel(y1, first_row, end_row), _pixel(y2, first_row, end_row)
        if row == last:
            continue
        inverse = 1 / z0
        second, third = 1 / z1 - inverse, 1 / z2 - inverse
        along_x, along_y = vy / area * second - uy / area * third, ux / area * third - vx / area * second
        step = np.float32(along_x)
        long_slope, upper_slope, lower_slope = (x2 - x0) / (y2 - y0), (x1 - x0) / (y1 - y0), (x2 - x1) / (y2 - y1)
        while row < last:
            height = row + 0.5
            short = x0 + (height - y0) * upper_slope if row < turn else x1 + (height - y1) * lower_slope
            long = x0 + (height - y0) * long_slope
            left = _pixel(min(short, long), first_column, end_column)
            right = _pixel(max(short, long), first_column, end_column)
            start = np.float32(along_x * (left + 0.5 - x) + along_y * (height - y) + inverse)
            along = ZERO
            for column in range(left, right):
                inverse_depth = start + step * along
                along += ONE  # an integer here would be compiled for long rows, and most are short
                place = np.uint64(row), np.uint64(column)
                if inverse_depth > nearest[place]:
                    nearest[place] = inverse_depth
                    drawn[place] = face
            row += 1


@inline
def _faces_viewer(area: Number, cull: bool) -> Number:
    """Decide whether a triangle of this signed area is drawn."""
    return -np.inf < area < 0 or (0 < area < np.inf and not cull)


@inline
def _in_front(depth: Number) -> Number:
    """Decide whether a corner lies far enough in front of the camera."""
    return NEAR <= depth < np.inf


@inline
def _sort_by_row(x0: Number, y0: Number, x1: Number, y1: Number, x2: Number, y2: Number) -> tuple[Number, ...]:
    """Return the corners of a triangle from the top to the bottom."""
    if y1 < y0:
        x0, y0, x1, y1 = x1, y1, x0, y0
    if y2 < y1:
        x1, y1, x2, y2 = x2, y2, x1, y1
    if y1 < y0:
        x0, y0, x1, y1 = x1, y1, x0, y0
    return x0, y0, x1, y1, x2, y2


@inline
def _pixel(coordinate: Number, first: int, end: int) -> int:
    """Return the first pixel whose centre is not before ``coordinate``, within [first, end]."""
    return int(min(max(np.ceil(np.float64(coordinate) - 0.5), np.float64(first)), np.float64(end)))


@inline
def weights(p: Corner, q: Corner, r: Corner) -> tuple[Number, ...]:
    """Weigh the corners of a triangle that is seen from its front at the origin of the image.

    Args:
        p: x and y in pixels from the origin, and depth in mm, of the first corner.
        q: x, y and depth of the second corner.
        r: x, y and depth of the third corner.

    Returns:
        Perspective-correct weights of the three corners up to a common factor, and twice the triangle's area in the image.
    """
    (x0, y0, z0), (x1, y1, z1), (x2, y2, z2) = p, q, r
    first, second, third = x2 * y1 - x1 * y2, x0 * y2 - x2 * y0, x1 * y0 - x0 * y1  # twice the areas opposite to the corners
    first, second, third = max(first, ZERO), max(second, ZERO), max(third, ZERO)  # rounding may lead a little beyond the edges
    return first * z1 * z2, second * z2 * z0, third * z0 * z1, first + second + third


@inline
def barycentric(p: Corner, q: Corner, r: Corner) -> Corner:
    """Return ``weights`` scaled to the sum 1."""
    a, b, c, _ = weights(p, q, r)
    share = ONE / (a + b + c)
    return a * share, b * share, c * share


@kernel
def collect(drawn: Numbers, points: Floats, faces: Indices) -> tuple[Ints, Ints, Floats, Floats]:
    """Collect what the covered pixels of one image show.

    Args:
        drawn: int32 (H, W), the output of ``draw``.
        points: float32 (V, 3), x and y in pixels, depth in mm.
        faces: uint32 (F, 3), corners of the triangles.

    Returns:
        Of P covered pixels: flat index int64 (P,), triangle int64 (P,), weights of its corners float32 (P, 3), depth float32 (P,)
        in mm.
    """
    height, width = drawn.shape
    count = np.count_nonzero(drawn >= 0)
    pixels, triangles = np.empty(count, np.int64), np.empty(count, np.int64)
    barycentric, depths = np.empty((count, 3), np.float32), np.empty(count, np.float32)
    hit = 0
    for row in range(height):
        for column in range(width):
            face = drawn[row, column]
            if face < 0:
                continue
            p, q, r = faces[face, 0], faces[face, 1], faces[face, 2]
            x0, y0, z0 = points[p, 0] - (column + 0.5), points[p, 1] - (row + 0.5), np.float64(points[p, 2])
            x1, y1, z1 = points[q, 0] - (column + 0.5), points[q, 1] - (row + 0.5), np.float64(points[q, 2])
            x2, y2, z2 = points[r, 0] - (column + 0.5), points[r, 1] - (row + 0.5), np.float64(points[r, 2])
            if (x1 - x0) * (y2 - y0) > (x2 - x0) * (y1 - y0):  # seen from behind
                y0, y1, y2 = -y0, -y1, -y2
            a, b, c, area = weights((x0, y0, z0), (x1, y1, z1), (x2, y2, z2))
            whole = a + b + c
            pixels[hit], triangles[hit], depths[hit] = row * width + column, face, area * (z0 * z1 * z2 / whole)
            barycentric[hit, 0], barycentric[hit, 1], barycentric[hit, 2] = a / whole, b / whole, c / whole
            hit += 1
    return pixels, triangles, barycentric, depths
