"""Painting of ``painting`` once more, compiled: a pixel at a time, from its samples to the bytes that it shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from lit_reenact.face.topology import EYE_LEFT, MOUTH
from lit_reenact.rendering.eyeballs import EYE_WHITE, IRIS
from lit_reenact.rendering.jit import Bytes, Floats, Ints, Numbers, compiled, inlined
from lit_reenact.rendering.scene import FIRST_SAMPLE, SAMPLES
from lit_reenact.schema import CONDITIONING_CHANNELS, EMPTY

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
WHITE, BLUE = np.array(EYE_WHITE, np.float32), np.array(IRIS, np.float32)
COUNT = SAMPLES**2
LEVELS = np.float32(255 / COUNT)
NOTHING, DONE = -1, -2
"""What is noted of a sample instead of its triangle: that it shows none, or has been painted with one before it."""


@compiled
def paint(
    drawn: Numbers,
    planes: Floats,
    attributes: Floats,
    faces: Ints,
    region: Bytes,
    label: Bytes,
    texture: Floats,
    openness: Floats,
    behind_lips: tuple[Numbers, Floats, Ints, Floats],
    eyes: tuple[Floats, Floats, Floats],
    image: Bytes,
) -> None:
    """Paint one image, zeros so far.

    Args:
        drawn: (SAMPLES * H, SAMPLES * W) triangles, and (F, PLANE) the planes of ``jit_spans.draw``.
        planes: see there.
        attributes: (V, 8) of ``Scene``.
        faces: (F, 3), and so on: the fields of ``Surface``.
        region: (F,).
        label: (F,).
        texture: (h, w, 3).
        openness: (3,) of ``Scene``.
        behind_lips: triangles in every sample of the mouth, their planes, corners and albedo.
        eyes: (2, 3) eyeballs and (2, 3) gaze of ``Scene``; focal length in samples, radii of eyeball and iris.
        image: (H, W, CONDITIONING_CHANNELS + 1), the region last.
    """
    here, votes = np.empty(COUNT, np.int64), np.empty(4, np.float64)
    value, total = np.empty(6, np.float32), np.empty(CONDITIONING_CHANNELS, np.float32)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            top, left = SAMPLES * row, SAMPLES * column
            covered = False
            for k in range(COUNT):
                here[k] = drawn[np.uint64(top + k // SAMPLES), np.uint64(left + k % SAMPLES)]
                covered |= here[k] >= 0
            if not covered:
                continue
            for channel in range(CONDITIONING_CHANNELS):
                total[channel] = ZERO
            for candidate in range(4):
                votes[candidate] = 0
            for k in range(COUNT):
                if here[k] < 0:
                    votes[EMPTY] += (1 + FIRST_SAMPLE * (k == 0)) * (here[k] == NOTHING)
                    continue
                face = np.uint64(here[k])
                opening = EYE_LEFT <= region[face] <= MOUTH
                x, y, alike = 0.0, 0.0, 0
                for other in range(k, k + 1 if opening else COUNT):
                    if np.uint64(here[other]) == face:
                        x, y, alike = x + (other % SAMPLES), y + (other // SAMPLES), alike + 1
                        here[other] = DONE
                x, y = left + 0.5 + x / alike, top + 0.5 + y / alike
                a, b, c = _weights(
                    np.float32(x) - planes[face, 0],
                    np.float32(y) - planes[face, 1],
                    planes[face, 2],
                    planes[face, 3],
                    planes[face, 4],
                    planes[face, 5],
                    planes[face, 6],
                    planes[face, 7],
                    planes[face, 8],
                )
                p, q, r = np.uint64(faces[face, 0]), np.uint64(faces[face, 1]), np.uint64(faces[face, 2])
                for channel in range(6):
                    value[channel] = a * attributes[p, channel] + b * attributes[q, channel] + c * attributes[r, channel]
                u = a * attributes[p, 6] + b * attributes[q, 6] + c * attributes[r, 6]
                v = a * attributes[p, 7] + b * attributes[q, 7] + c * attributes[r, 7]
                west, east, u = _neighbours(u, texture.shape[1])
                north, south, v = _neighbours(v, texture.shape[0])
                for channel in range(3):
                    upper = _between(texture[north, west, channel], texture[north, east, channel], u)
                    lower = _between(texture[south, west, channel], texture[south, east, channel], u)
                    value[channel] = min(max(_between(upper, lower, v) * value[channel], ZERO), ONE)
                if region[face] == MOUTH:
                    _mouth(top + k // SAMPLES, left + k % SAMPLES, attributes, openness, behind_lips, value)
                elif opening:
                    _eye(x, y, drawn.shape, region[face] - EYE_LEFT, openness, eyes, value, total)
                weight = np.float32(alike)
                for channel in range(6):
                    total[channel] += weight * value[channel]
                votes[label[face]] += alike + FIRST_SAMPLE * (k == 0)
            for channel in range(CONDITIONING_CHANNELS):
                image[row, column, channel] = np.uint8(np.rint(total[channel] * LEVELS))
            best = 0
            for candidate in range(1, 4):
                best = candidate if votes[candidate] > votes[best] else best
            image[row, column, CONDITIONING_CHANNELS] = best


@inlined
def _weights(
    right: Any,
    down: Any,
    second_x: Any,
    second_y: Any,
    third_x: Any,
    third_y: Any,
    inverse_a: Any,
    inverse_b: Any,
    inverse_c: Any,
) -> Any:
    """Perspective-correct weights of the corners of a triangle at a point, from its plane."""
    second = second_x * right + second_y * down
    third = third_x * right + third_y * down
    a = max(ONE - second - third, ZERO) * inverse_a
    b, c = max(second, ZERO) * inverse_b, max(third, ZERO) * inverse_c
    depth = ONE / (a + b + c)
    return a * depth, b * depth, c * depth


@inlined
def _neighbours(coordinate: Any, size: int) -> Any:
    """The texels on both sides of a texture coordinate, and how far on from the first it lies; within the texture."""
    last = np.float32(size - 1)
    place = min(max(coordinate * np.float32(size) - HALF, ZERO), last)
    first = np.uint64(place)
    return first, np.uint64(min(place + ONE, last)), place - np.float32(first)


@inlined
def _between(a: Any, b: Any, share: Any) -> Any:
    return a + share * (b - a)


@inlined
def _mouth(
    row: int,
    column: int,
    attributes: Floats,
    openness: Floats,
    behind_lips: tuple[Numbers, Floats, Ints, Floats],
    value: Floats,
) -> None:
    """Mix in what a sample shows between the lips."""
    open_by = openness[2]
    if open_by == ZERO:
        return
    drawn, planes, faces, albedo = behind_lips
    face = drawn[row, column]
    if face < 0:
        for channel in range(3):
            value[channel] += open_by * (ZERO - value[channel])
        return
    a, b, c = _weights(
        np.float32(column + 0.5) - planes[face, 0],
        np.float32(row + 0.5) - planes[face, 1],
        planes[face, 2],
        planes[face, 3],
        planes[face, 4],
        planes[face, 5],
        planes[face, 6],
        planes[face, 7],
        planes[face, 8],
    )
    p, q, r = faces[face, 0], faces[face, 1], faces[face, 2]
    for channel in range(6):
        seen = a * attributes[p, channel] + b * attributes[q, channel] + c * attributes[r, channel]
        if channel < 3:
            seen *= albedo[face, channel]
        value[channel] += open_by * (min(max(seen, ZERO), ONE) - value[channel])


@inlined
def _eye(
    x: float,
    y: float,
    shape: tuple[int, ...],
    side: int,
    openness: Floats,
    eyes: tuple[Floats, Floats, Floats],
    value: Floats,
    total: Floats,
) -> None:
    """Mix in what a sample shows between the lids of one eye, and add the eye image; the sums of ``eyeballs.iris_coverage``."""
    (centre_x, centre_y, centre_z), (gaze_x, gaze_y, gaze_z) = eyes[0][side], eyes[1][side]
    focal, radius, iris_radius = eyes[2]
    ray_x, ray_y = np.float32(x - shape[1] / 2) / focal, np.float32(y - shape[0] / 2) / focal
    length = np.sqrt(ray_x * ray_x + ray_y * ray_y + ONE)
    ray_x, ray_y, ray_z = ray_x / length, ray_y / length, ONE / length
    nearest = ray_x * centre_x + ray_y * centre_y + ray_z * centre_z
    off_x, off_y, off_z = centre_x - nearest * ray_x, centre_y - nearest * ray_y, centre_z - nearest * ray_z
    distance = nearest - np.sqrt(max(radius * radius - (off_x * off_x + off_y * off_y + off_z * off_z), ZERO))
    out_x, out_y, out_z = distance * ray_x - centre_x, distance * ray_y - centre_y, distance * ray_z - centre_z
    cosine = (out_x * gaze_x + out_y * gaze_y + out_z * gaze_z) / np.sqrt(out_x * out_x + out_y * out_y + out_z * out_z)
    iris = ZERO
    if cosine > ZERO:
        off_axis = radius * np.sqrt(max(ONE - cosine * cosine, ZERO))
        iris = min(max((iris_radius - off_axis) / (distance / focal) + HALF, ZERO), ONE)
    open_by = openness[side]
    for channel in range(6):
        value[channel] += open_by * (ZERO - value[channel])
    for channel in range(3):
        colour = WHITE[channel] + iris * (BLUE[channel] - WHITE[channel])
        total[6 + channel] += open_by * colour
