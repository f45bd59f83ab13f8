"""The rasteriser of ``spans`` once more, compiled: the same rules and sums, a triangle at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from lit_reenact.rendering.jit import Doubles, Floats, Ints, Numbers, compiled, inlined
from lit_reenact.rendering.spans import NEAR

PLANE = 9
"""Numbers that say where in a triangle a point lies: x and y of its first corner; how weights 1 and 2 change along x and y, of
each; 1/depth of the corners."""


@compiled
def draw(
    points: Floats,
    faces: Ints,
    window: tuple[int, int, int, int],
    cull: bool,
    nearest: Floats,
    drawn: Numbers,
    planes: Floats | Doubles,
) -> None:
    """Rasterise one image.

    Args:
        points: (V, 3).
        faces: (F, 3).
        window: first row and the one after the last, first column and the one after the last: the part that is drawn.
        cull: whether to leave out triangles seen from behind.
        nearest: (H, W) scratch, 1 / depth.
        drawn: (H, W), becomes the triangle of each pixel of the window, -1 where there is none.
        planes: (F, PLANE), filled for the triangles that can be drawn.
    """
    nearest[window[0] : window[1], window[2] : window[3]] = 0
    drawn[window[0] : window[1], window[2] : window[3]] = -1
    first_row, end_row, first_column, end_column = window
    for face in range(len(faces)):
        p, q, r = np.uint64(faces[face, 0]), np.uint64(faces[face, 1]), np.uint64(faces[face, 2])
        z0, z1, z2 = points[p, 2], points[q, 2], points[r, 2]
        x0, x1, x2 = np.float64(points[p, 0]), np.float64(points[q, 0]), np.float64(points[r, 0])
        y0, y1, y2 = np.float64(points[p, 1]), np.float64(points[q, 1]), np.float64(points[r, 1])
        ux, uy, vx, vy = x1 - x0, y1 - y0, x2 - x0, y2 - y0
        area = ux * vy - vx * uy  # positive if clockwise, as y points down
        if not (area < 0 or (area > 0 and not cull)):
            continue
        if not (z0 >= NEAR and z1 >= NEAR and z2 >= NEAR and np.isfinite(x0 + x1 + x2 + y0 + y1 + y2 + z0 + z1 + z2)):
            continue
        if y1 < y0:
            x0, y0, x1, y1 = x1, y1, x0, y0
        if y2 < y1:
            x1, y1, x2, y2 = x2, y2, x1, y1
        if y1 < y0:
            x0, y0, x1, y1 = x1, y1, x0, y0
        row, turn, last = _pixel(y0, first_row, end_row), _pixel(y1, first_row, end_row), _pixel(y2, first_row, end_row)
        if row == last:
            continue
        x, y = np.float64(points[p, 0]), np.float64(points[p, 1])
        second_x, second_y, third_x, third_y = vy / area, -vx / area, -uy / area, ux / area
        inverse = 1 / np.float64(z0)
        second, third = 1 / np.float64(z1) - inverse, 1 / np.float64(z2) - inverse
        along_x, along_y = second_x * second + third_x * third, second_y * second + third_y * third
        plane = np.uint64(face)
        planes[plane, 0], planes[plane, 1], planes[plane, 2], planes[plane, 3] = x, y, second_x, second_y
        planes[plane, 4], planes[plane, 5], planes[plane, 6] = third_x, third_y, inverse
        planes[plane, 7], planes[plane, 8] = 1 / np.float64(z1), 1 / np.float64(z2)
        step = np.float32(along_x)
        long_slope, upper_slope, lower_slope = (x2 - x0) / (y2 - y0), (x1 - x0) / (y1 - y0), (x2 - x1) / (y2 - y1)
        while row < last:
            height = row + 0.5
            short = x0 + (height - y0) * upper_slope if row < turn else x1 + (height - y1) * lower_slope
            long = x0 + (height - y0) * long_slope
            left = _pixel(min(short, long), first_column, end_column)
            right = _pixel(max(short, long), first_column, end_column)
            start = np.float32(along_x * (left + 0.5 - x) + along_y * (height - y) + inverse)
            for offset in range(right - left):
                inverse_depth = start + step * np.float32(offset)
                place = np.uint64(row), np.uint64(left + offset)
                if inverse_depth > nearest[place]:
                    nearest[place] = inverse_depth
                    drawn[place] = face
            row += 1


@inlined
def _pixel(coordinate: Any, first: int, end: int) -> int:
    """The first pixel whose centre is not before ``coordinate``, from ``first`` to ``end``."""
    return int(min(max(np.ceil(np.float64(coordinate) - 0.5), np.float64(first)), np.float64(end)))


@compiled
def collect(drawn: Numbers, planes: Doubles) -> tuple[Ints, Ints, Floats, Floats]:
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
            x, y = column + 0.5 - planes[face, 0], row + 0.5 - planes[face, 1]
            second, third = planes[face, 2] * x + planes[face, 3] * y, planes[face, 4] * x + planes[face, 5] * y
            a = max(1 - second - third, 0.0) * planes[face, 6]
            b, c = max(second, 0.0) * planes[face, 7], max(third, 0.0) * planes[face, 8]
            depth = 1 / (a + b + c)
            pixels[hit], triangles[hit], depths[hit] = row * width + column, face, depth
            barycentric[hit, 0], barycentric[hit, 1], barycentric[hit, 2] = a * depth, b * depth, c * depth
            hit += 1
    return pixels, triangles, barycentric, depths
