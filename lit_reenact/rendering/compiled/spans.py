"""The rasteriser of ``spans`` once more, compiled: the same rules and sums, a triangle at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from lit_reenact.rendering.compiled.numba_types import ONE, ZERO, Floats, Indices, Ints, Numbers, compiled, inlined
from lit_reenact.rendering.spans import NEAR

Window = tuple[int, int, int, int]
"""A part of an image: first row and the one after the last, first column and the one after the last."""


@compiled
def bounds(points: Floats, step: int, height: int, width: int) -> Window:
    """What may show anything of points (N, 3) of an image, in whole blocks of ``step`` pixels; all if a point is not finite."""
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


@compiled
def draw(points: Floats, faces: Indices, window: Window, cull: bool, nearest: Floats, drawn: Numbers) -> None:
    """Rasterise one image.

    Args:
        points: (V, 3).
        faces: (F, 3).
        window: the part that is drawn.
        cull: whether to leave out triangles seen from behind.
        nearest: (H, W) scratch, 1 / depth.
        drawn: (H, W), becomes the triangle of each pixel of the window, -1 where there is none.
    """
    first_row, end_row, first_column, end_column = window
    nearest[first_row:end_row, first_column:end_column] = 0
    drawn[first_row:end_row, first_column:end_column] = -1
    for face in range(len(faces)):
        p, q, r = faces[np.uint64(face), 0], faces[np.uint64(face), 1], faces[np.uint64(face), 2]
        x, y = np.float64(points[p, 0]), np.float64(points[p, 1])
        x1, y1, x2, y2 = np.float64(points[q, 0]), np.float64(points[q, 1]), np.float64(points[r, 0]), np.float64(points[r, 1])
        ux, uy, vx, vy = x1 - x, y1 - y, x2 - x, y2 - y
        area = ux * vy - vx * uy  # positive if clockwise, as y points down; not finite if any of the coordinates is not
        if not (-np.inf < area < 0 or (0 < area < np.inf and not cull)):
            continue
        z0, z1, z2 = np.float64(points[p, 2]), np.float64(points[q, 2]), np.float64(points[r, 2])
        if not (NEAR <= z0 < np.inf and NEAR <= z1 < np.inf and NEAR <= z2 < np.inf):
            continue
        x0, y0 = x, y
        if y1 < y0:
            x0, y0, x1, y1 = x1, y1, x0, y0
        if y2 < y1:
            x1, y1, x2, y2 = x2, y2, x1, y1
        if y1 < y0:
            x0, y0, x1, y1 = x1, y1, x0, y0
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
                along += ONE  # a whole number here would be compiled for long rows, and most are short
                place = np.uint64(row), np.uint64(column)
                if inverse_depth > nearest[place]:
                    nearest[place] = inverse_depth
                    drawn[place] = face
            row += 1


@inlined
def _pixel(coordinate: Any, first: int, end: int) -> int:
    """The first pixel whose centre is not before ``coordinate``, from ``first`` to ``end``."""
    return int(min(max(np.ceil(np.float64(coordinate) - 0.5), np.float64(first)), np.float64(end)))


@inlined
def weights(x0: Any, y0: Any, z0: Any, x1: Any, y1: Any, z1: Any, x2: Any, y2: Any, z2: Any) -> Any:
    """How much the corners of a triangle that is seen from its front weigh at the origin of the image.

    Returns:
        The weights in space, times some number, and twice the triangle's area in the image.
    """
    first, second, third = x2 * y1 - x1 * y2, x0 * y2 - x2 * y0, x1 * y0 - x0 * y1  # twice the areas opposite to the corners
    first, second, third = max(first, ZERO), max(second, ZERO), max(third, ZERO)  # rounding may lead a little beyond the edges
    return first * z1 * z2, second * z2 * z0, third * z0 * z1, first + second + third


@compiled
def collect(drawn: Numbers, points: Floats, faces: Indices) -> tuple[Ints, Ints, Floats, Floats]:
    """The covered pixels of one image, with the triangles, weights and depths that they show."""
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
            a, b, c, area = weights(x0, y0, z0, x1, y1, z1, x2, y2, z2)
            whole = a + b + c
            pixels[hit], triangles[hit], depths[hit] = row * width + column, face, area * (z0 * z1 * z2 / whole)
            barycentric[hit, 0], barycentric[hit, 1], barycentric[hit, 2] = a / whole, b / whole, c / whole
            hit += 1
    return pixels, triangles, barycentric, depths
