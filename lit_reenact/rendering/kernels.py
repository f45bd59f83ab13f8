"""The inner loops of rendering once more, compiled for processors by numba: the rules and sums of the functions in torch.

Torch passes over the memory once for every operation; here a triangle stays in the registers until it is drawn. Tensors lie on
the CPU. Indices of the innermost loops are unsigned, for numba looks at each signed one: a negative one counts from the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lit_reenact.rendering.spans import NEAR
from lit_reenact.schema import CONDITIONING_CHANNELS

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    """Compile at the first call; that takes seconds, and is kept for later processes where a folder can be written."""
    try:
        kernel: _Function = numba.njit(cache=True, error_model="numpy")(function)  # a division by 0 gives inf, as in torch
    except RuntimeError:  # nowhere to keep it
        kernel = numba.njit(error_model="numpy")(function)
    return kernel


def find_hits(points: Tensor, faces: Tensor, height: int, width: int, cull_backfaces: bool) -> tuple[Tensor, ...]:
    """The fields of ``rasterizer.Hits``, for its arguments."""
    found = _find_hits(_array(points), _array(faces), height, width, cull_backfaces)
    return tuple(torch.from_numpy(array) for array in found)


def textured(
    pixel: Tensor, triangle: Tensor, barycentric: Tensor, attributes: Tensor, faces: Tensor, texture: Tensor, image_pixels: int
) -> Tensor:
    """See ``painting.textured``; the first three are the fields of its hits."""
    arrays = (_array(t) for t in (pixel, triangle, barycentric, attributes, faces, texture.permute(1, 2, 0)))
    return torch.from_numpy(_textured(image_pixels, *arrays))


def pooled(values: Tensor, pixel: Tensor, shape: tuple[int, int, int], samples: int) -> Tensor:
    """See ``painting.pooled``; the pixels must ascend."""
    return torch.from_numpy(_pooled(_array(values), _array(pixel), *shape, samples))


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = tensor.contiguous().numpy()
    return array


@_compiled
def _find_hits(points: Floats, faces: Ints, height: int, width: int, cull: bool) -> tuple[Ints, Ints, Floats, Floats]:
    nearest = np.empty(height * width, np.float32)  # 1 / depth
    drawn = np.full((len(points), height * width), -1, np.int32)
    planes = np.empty((len(points), len(faces), 9))
    for image in range(len(points)):
        nearest[:] = 0
        for face in range(len(faces)):
            if _prepare(points[image], faces[face], cull, planes[image, face]):
                _draw(points[image], faces[face], face, planes[image, face], height, width, nearest, drawn[image])
    return _collect(drawn, planes, width)


@_compiled
def _prepare(points: Floats, corners: Ints, cull: bool, plane: Doubles) -> bool:
    """Whether a triangle can be drawn; if so, write down its first corner, its weights' slopes and its inverse depths."""
    x0, y0, z0 = points[corners[0]]
    x1, y1, z1 = points[corners[1]]
    x2, y2, z2 = points[corners[2]]
    if not (z0 >= NEAR and z1 >= NEAR and z2 >= NEAR and np.isfinite(x0 + x1 + x2 + y0 + y1 + y2 + z0 + z1 + z2)):
        return False
    x, y = np.float64(x0), np.float64(y0)
    ux, uy, vx, vy = x1 - x, y1 - y, x2 - x, y2 - y
    area = ux * vy - vx * uy  # positive if clockwise, as y points down
    if not (area < 0 or (area > 0 and not cull)):
        return False
    plane[0], plane[1] = x, y
    plane[2], plane[3], plane[4], plane[5] = vy / area, -vx / area, -uy / area, ux / area
    plane[6], plane[7], plane[8] = 1 / np.float64(z0), 1 / np.float64(z1), 1 / np.float64(z2)
    return True


@_compiled
def _draw(
    points: Floats, corners: Ints, face: int, plane: Doubles, height: int, width: int, nearest: Floats, drawn: Numbers
) -> None:
    """Go through the rows of a triangle, and enter it wherever it is the nearest so far."""
    top, middle, bottom = corners
    if points[middle, 1] < points[top, 1]:
        top, middle = middle, top
    if points[bottom, 1] < points[middle, 1]:
        middle, bottom = bottom, middle
    if points[middle, 1] < points[top, 1]:
        top, middle = middle, top
    second, third = plane[7] - plane[6], plane[8] - plane[6]
    along_x, along_y = plane[2] * second + plane[4] * third, plane[3] * second + plane[5] * third
    step = np.float32(along_x)
    turn, end = _pixel(points[middle, 1], height), _pixel(points[bottom, 1], height)
    for row in range(_pixel(points[top, 1], height), end):
        short = _crossing(points[top], points[middle], row) if row < turn else _crossing(points[middle], points[bottom], row)
        long = _crossing(points[top], points[bottom], row)
        left, right = _pixel(min(short, long), width), _pixel(max(short, long), width)
        start = np.float32(along_x * (left + 0.5 - plane[0]) + along_y * (row + 0.5 - plane[1]) + plane[6])
        first = row * width + left
        for offset in range(right - left):
            inverse_depth = start + step * np.float32(offset)
            pixel = np.uint64(first + offset)
            if inverse_depth > nearest[pixel]:
                nearest[pixel] = inverse_depth
                drawn[pixel] = face


@_compiled
def _crossing(a: Floats, b: Floats, row: int) -> Any:
    """The x where the edge from a down to b meets the centres of a row."""
    x, y = np.float64(a[0]), np.float64(a[1])
    return x + (row + 0.5 - y) * ((b[0] - x) / (b[1] - y))


@_compiled
def _pixel(coordinate: float, size: int) -> int:
    """The first pixel whose centre is not before ``coordinate``, within the image."""
    return int(min(max(np.ceil(np.float64(coordinate) - 0.5), 0.0), np.float64(size)))


@_compiled
def _collect(drawn: Numbers, planes: Doubles, width: int) -> tuple[Ints, Ints, Floats, Floats]:
    """The covered pixels with the triangles, weights and depths that they show."""
    count = np.count_nonzero(drawn >= 0)
    pixels, triangles = np.empty(count, np.int64), np.empty(count, np.int64)
    barycentric, depths = np.empty((count, 3), np.float32), np.empty(count, np.float32)
    hit = 0
    for image in range(drawn.shape[0]):
        for row in range(drawn.shape[1] // max(1, width)):
            for column in range(width):
                place = row * width + column
                face = drawn[image, place]
                if face < 0:
                    continue
                plane = planes[image, face]
                x, y = column + 0.5 - plane[0], row + 0.5 - plane[1]
                second, third = plane[2] * x + plane[3] * y, plane[4] * x + plane[5] * y
                a = max(1 - second - third, 0.0) * plane[6]
                b, c = max(second, 0.0) * plane[7], max(third, 0.0) * plane[8]
                depth = 1 / (a + b + c)
                pixels[hit], triangles[hit], depths[hit] = image * drawn.shape[1] + place, face, depth
                barycentric[hit, 0], barycentric[hit, 1], barycentric[hit, 2] = a * depth, b * depth, c * depth
                hit += 1
    return pixels, triangles, barycentric, depths


@_compiled
def _textured(
    image_pixels: int, pixel: Ints, triangle: Ints, barycentric: Floats, attributes: Floats, faces: Ints, texture: Floats
) -> Floats:
    values = np.zeros((len(pixel), CONDITIONING_CHANNELS), np.float32)
    height, width = texture.shape[:2]
    last_x, last_y, zero, half, one = np.float32(width - 1), np.float32(height - 1), np.float32(0), np.float32(0.5), np.float32(1)
    image, end = np.uint64(0), image_pixels
    for hit in range(len(pixel)):
        while pixel[hit] >= end:
            image, end = image + np.uint64(1), end + image_pixels
        face = np.uint64(triangle[hit])
        a, b, c = barycentric[hit, 0], barycentric[hit, 1], barycentric[hit, 2]
        p, q, r = np.uint64(faces[face, 0]), np.uint64(faces[face, 1]), np.uint64(faces[face, 2])
        for channel in range(8):
            spread = a * attributes[image, p, channel] + b * attributes[image, q, channel] + c * attributes[image, r, channel]
            values[hit, channel] = spread
        x = min(max(values[hit, 6] * width - half, zero), last_x)
        y = min(max(values[hit, 7] * height - half, zero), last_y)
        left, top = np.uint64(x), np.uint64(y)
        right, below = np.uint64(min(x + one, last_x)), np.uint64(min(y + one, last_y))
        u, v = x - np.float32(left), y - np.float32(top)
        for channel in range(3):
            upper = texture[top, left, channel] + u * (texture[top, right, channel] - texture[top, left, channel])
            lower = texture[below, left, channel] + u * (texture[below, right, channel] - texture[below, left, channel])
            values[hit, channel] = min(max((upper + v * (lower - upper)) * values[hit, channel], zero), one)
        values[hit, 6], values[hit, 7] = zero, zero
    return values


@_compiled
def _pooled(values: Floats, pixel: Ints, images: int, height: int, width: int, samples: int) -> Bytes:
    channels = values.shape[1]
    sums = np.zeros((images * height, width, channels), np.float32)
    fine_row, row, start = 0, 0, 0  # the row of samples, that of pixels, and where the former begins
    for hit in range(len(pixel)):
        while pixel[hit] >= start + width * samples:
            fine_row, start = fine_row + 1, start + width * samples
            row = fine_row // samples
        column = np.uint32(pixel[hit] - start) // np.uint32(samples)
        for channel in range(channels):
            sums[row, column, channel] += np.rint(values[hit, channel] * np.float32(255))
    pooled = np.empty((images, channels, height, width), np.uint8)
    share = np.float32(1 / samples**2)
    for image in range(images):
        for y in range(height):
            for channel in range(channels):
                for x in range(width):
                    pooled[image, channel, y, x] = np.uint8(np.rint(sums[image * height + y, x, channel] * share))
    return pooled
