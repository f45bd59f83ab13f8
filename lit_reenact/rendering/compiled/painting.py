"""Painting of ``painting`` once more, compiled: a pixel at a time, from its samples to the bytes that it shows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from lit_reenact.core.schema import CONDITIONING_CHANNELS, EMPTY
from lit_reenact.face.topology import EYE_LEFT, MOUTH
from lit_reenact.rendering.compiled.numba_types import HALF, ONE, ZERO, Bytes, Floats, Indices, Numbers, fused, inlined
from lit_reenact.rendering.compiled.spans import Window, weights
from lit_reenact.rendering.eyeballs import EYE_WHITE, IRIS
from lit_reenact.rendering.scene import FIRST_SAMPLE, SAMPLES

WHITE, BLUE = np.array(EYE_WHITE, np.float32), np.array(IRIS, np.float32)
COUNT = SAMPLES**2

# Samples of a pixel make up a number, a bit for each. Of every such group:
GROUPS = [[k for k in range(COUNT) if group >> k & 1] for group in range(2**COUNT)]
ALL = np.uint64(len(GROUPS) - 1)
FIRST = np.array([min(group, default=0) for group in GROUPS], np.uint64)
LEVELS = np.array([255 / COUNT * len(group) for group in GROUPS], np.float32)  # how many of the pixel's it makes up
ACROSS = np.array([np.mean([k % SAMPLES + 0.5 for k in group or [0]]) for group in GROUPS], np.float32)  # its centroid
DOWN = np.array([np.mean([k // SAMPLES + 0.5 for k in group or [0]]) for group in GROUPS], np.float32)
VOTES = np.array([round(len(group) / FIRST_SAMPLE) + (0 in group) for group in GROUPS], np.uint64)
VOTE_BITS = 16
"""The votes for each label stand in one number, side by side."""

PATCH = np.dtype(
    [(name, np.uint32) for name in ("face", "pixel", "p", "q", "r", "west", "north")]
    + [(name, np.float32) for name in ("x", "y", "light_level", "colour_level", "a", "b", "c", "east_share", "south_share")]
)
"""A patch as in ``patches``: its triangle; its pixel of the row; the triangle's corners and their weights ``a`` to ``c``; the
texel to its north-west, and how far on from it the patch lies; its place; of 255, how much of it is lit skin, and how much shows
the other colour."""

Patches = npt.NDArray[np.void]


@fused
def paint(
    drawn: Numbers,
    points: Floats,
    attributes: Floats,
    openness: Floats,
    eyes: Floats,
    faces: Indices,
    region: Bytes,
    label: Bytes,
    texture: Floats,
    inside: Numbers,
    inner_faces: Indices,
    inner_albedo: Floats,
    radii: tuple[np.float32, np.float32, np.float32],
    window: Window,
    image: Bytes,
) -> None:
    """Paint one image.

    Args:
        drawn: (SAMPLES * H, SAMPLES * W) triangles, of ``jit_spans.draw``.
        points: (V, 3), and so on: the fields of ``Scene``.
        attributes: (V, 8).
        openness: (3,).
        eyes: (2, 6) eyeballs, gaze.
        faces: (F, 3), and so on: the fields of ``Surface``.
        region: (F,).
        label: (F,).
        texture: (h + 1, w + 1, 3), its last row and column twice.
        inside: the triangles behind the lips in every sample of the mouth.
        inner_faces: (G, 3).
        inner_albedo: (G, 3).
        radii: focal length in samples, radius of an eyeball, of an iris.
        window: of ``drawn``; beyond it nothing is.
        image: (H, W, CONDITIONING_CHANNELS + 1), the region last.
    """
    image[:] = 0
    first_row, end_row, first_column, end_column = window
    first_column, end_column = first_column // SAMPLES, end_column // SAMPLES
    sums = np.empty((end_column - first_column, CONDITIONING_CHANNELS + 1), np.float32)
    patches = np.empty(len(sums) * COUNT, PATCH)
    for row in range(first_row // SAMPLES, end_row // SAMPLES):
        sums[:] = ZERO
        count = _gather(
            drawn, row, first_column, points, attributes, openness, eyes, region, label, inside, inner_faces, inner_albedo, radii,
            sums, patches,
        )  # fmt: skip
        _place(patches[:count], points, faces, attributes, texture.shape[1] - 2, texture.shape[0] - 2)
        _colour(patches[:count], attributes, texture, sums)
        shades, levels = image[row, first_column:end_column].reshape(-1), sums.reshape(-1)
        for place in range(len(levels)):
            shades[place] = np.uint8(np.int32(np.rint(levels[place])))


@fused
def _gather(
    drawn: Numbers,
    row: int,
    first_column: int,
    points: Floats,
    attributes: Floats,
    openness: Floats,
    eyes: Floats,
    region: Bytes,
    label: Bytes,
    inside: Numbers,
    inner_faces: Indices,
    inner_albedo: Floats,
    radii: tuple[np.float32, np.float32, np.float32],
    sums: Floats,
    patches: Patches,
) -> np.uint64:
    """Find the patches of skin in a row of pixels and how many they are; add what is seen between lids and lips, and regions."""
    found = np.uint64(0)
    for pixel in range(len(sums)):
        here = np.uint64(pixel)
        top, left = np.uint64(SAMPLES * row), np.uint64(SAMPLES * (first_column + pixel))
        rest = np.uint64(0)  # the samples that are still to be painted
        for k in range(COUNT):
            rest |= np.uint64(drawn[top + np.uint64(k // SAMPLES), left + np.uint64(k % SAMPLES)] >= 0) << np.uint64(k)
        if not rest:
            continue
        votes, group, shown = VOTES[ALL ^ rest] << np.uint64(EMPTY * VOTE_BITS), rest, 0
        while rest:
            first = FIRST[rest]
            sample = top + first // np.uint64(SAMPLES), left + first % np.uint64(SAMPLES)
            number = drawn[sample]
            face = np.uint64(number)
            part = region[face]
            opening = EYE_LEFT <= part <= MOUTH
            group = np.uint64(opening) << first
            if not opening:
                for k in range(COUNT):
                    same = drawn[top + np.uint64(k // SAMPLES), left + np.uint64(k % SAMPLES)] == number
                    group |= np.uint64(same) << np.uint64(k)
            rest ^= group
            shown = label[face]
            votes += VOTES[group] << np.uint64(shown * VOTE_BITS)
            x, y = np.float32(np.int64(left)) + ACROSS[group], np.float32(np.int64(top)) + DOWN[group]
            patch = patches[found]
            found += np.uint64(1)
            patch.face, patch.pixel, patch.x, patch.y = face, here, x, y
            patch.light_level = patch.colour_level = LEVELS[group]
            if opening:
                side = np.uint64(part - EYE_LEFT)
                level = LEVELS[group] * openness[side]
                patch.light_level -= level
                if part != MOUTH:
                    patch.colour_level -= level
                    iris = _iris_coverage(
                        (x - np.float32(drawn.shape[1] / 2)) / radii[0],
                        (y - np.float32(drawn.shape[0] / 2)) / radii[0],
                        (eyes[side, 0], eyes[side, 1], eyes[side, 2]),
                        (eyes[side, 3], eyes[side, 4], eyes[side, 5]),
                        radii,
                    )
                    for channel in range(3):
                        sums[here, 6 + channel] += level * (WHITE[channel] + iris * (BLUE[channel] - WHITE[channel]))
                elif level > ZERO and inside[sample] >= 0:
                    patch.colour_level -= level
                    behind = np.uint64(inside[sample])
                    p, q, r = inner_faces[behind, 0], inner_faces[behind, 1], inner_faces[behind, 2]
                    a, b, c = _weights(
                        points[p, 0] - x, points[p, 1] - y, points[p, 2],
                        points[q, 0] - x, points[q, 1] - y, points[q, 2],
                        points[r, 0] - x, points[r, 1] - y, points[r, 2],
                    )  # fmt: skip
                    for channel in range(6):
                        value = a * attributes[p, channel] + b * attributes[q, channel] + c * attributes[r, channel]
                        if channel < 3:
                            value *= inner_albedo[behind, channel]
                        sums[here, channel] += level * min(max(value, ZERO), ONE)
        if group != ALL:
            most = np.uint64(0)
            for candidate in range(4):
                votes_for = (votes >> np.uint64(VOTE_BITS * candidate)) & np.uint64((1 << VOTE_BITS) - 1)
                shown = candidate if votes_for > most else shown
                most = max(votes_for, most)
        sums[here, CONDITIONING_CHANNELS] = np.float32(shown)
    return found


@fused
def _place(patches: Patches, points: Floats, faces: Indices, attributes: Floats, last_column: int, last_row: int) -> None:
    """Find where in their triangles, and in the texture, patches lie."""
    for number in range(len(patches)):
        patch = patches[np.uint64(number)]
        face = np.uint64(patch.face)
        p, q, r = faces[face, 0], faces[face, 1], faces[face, 2]
        x, y = patch.x, patch.y
        a, b, c = _weights(
            points[p, 0] - x, points[p, 1] - y, points[p, 2],
            points[q, 0] - x, points[q, 1] - y, points[q, 2],
            points[r, 0] - x, points[r, 1] - y, points[r, 2],
        )  # fmt: skip
        u = a * attributes[p, 6] + b * attributes[q, 6] + c * attributes[r, 6]
        v = a * attributes[p, 7] + b * attributes[q, 7] + c * attributes[r, 7]
        patch.p, patch.q, patch.r, patch.a, patch.b, patch.c = p, q, r, a, b, c
        patch.west, patch.east_share = _texel(u, np.float32(last_column))
        patch.north, patch.south_share = _texel(v, np.float32(last_row))


@fused
def _colour(patches: Patches, attributes: Floats, texture: Floats, sums: Floats) -> None:
    """Add the patches to their pixels."""
    for number in range(len(patches)):
        patch = patches[np.uint64(number)]
        p, q, r, a, b, c = patch.p, patch.q, patch.r, patch.a, patch.b, patch.c
        west, north, pixel = np.uint64(patch.west), np.uint64(patch.north), np.uint64(patch.pixel)
        east, south = west + np.uint64(1), north + np.uint64(1)
        south_east = patch.east_share * patch.south_share
        north_east, south_west = patch.east_share - south_east, patch.south_share - south_east
        north_west = ONE - patch.east_share - south_west
        light_level, colour_level = patch.light_level, patch.colour_level
        for channel in range(6):
            value = a * attributes[p, channel] + b * attributes[q, channel] + c * attributes[r, channel]
            if channel < 3:
                albedo = north_west * texture[north, west, channel] + north_east * texture[north, east, channel]
                albedo += south_west * texture[south, west, channel] + south_east * texture[south, east, channel]
                sums[pixel, channel] += light_level * min(max(albedo * value, ZERO), ONE)
            else:
                sums[pixel, channel] += colour_level * value


@inlined
def _weights(x0: Any, y0: Any, z0: Any, x1: Any, y1: Any, z1: Any, x2: Any, y2: Any, z2: Any) -> Any:
    """``weights`` of sum 1."""
    a, b, c, _ = weights(x0, y0, z0, x1, y1, z1, x2, y2, z2)
    share = ONE / (a + b + c)
    return a * share, b * share, c * share


@inlined
def _texel(coordinate: Any, last: Any) -> Any:
    """The texel before a texture coordinate, which is within the texture, and how far on from it that lies."""
    place = min(max(coordinate * (last + ONE) - HALF, ZERO), last)
    first = np.int32(place)
    return np.uint32(first), place - np.float32(first)


@inlined
def _iris_coverage(ray_x: Any, ray_y: Any, centre: Any, gaze: Any, radii: Any) -> Any:
    """``eyeballs.iris_coverage`` of a ray."""
    (centre_x, centre_y, centre_z), (gaze_x, gaze_y, gaze_z), (focal, radius, iris_radius) = centre, gaze, radii
    length = math.sqrt(ray_x * ray_x + ray_y * ray_y + ONE)
    ray_x, ray_y, ray_z = ray_x / length, ray_y / length, ONE / length
    nearest = ray_x * centre_x + ray_y * centre_y + ray_z * centre_z
    off_x, off_y, off_z = centre_x - nearest * ray_x, centre_y - nearest * ray_y, centre_z - nearest * ray_z
    distance = nearest - math.sqrt(max(radius * radius - (off_x * off_x + off_y * off_y + off_z * off_z), ZERO))
    out_x, out_y, out_z = distance * ray_x - centre_x, distance * ray_y - centre_y, distance * ray_z - centre_z
    cosine = (out_x * gaze_x + out_y * gaze_y + out_z * gaze_z) / math.sqrt(out_x * out_x + out_y * out_y + out_z * out_z)
    off_axis = radius * math.sqrt(max(ONE - cosine * cosine, ZERO))
    coverage = min(max((iris_radius - off_axis) / (distance / focal) + HALF, ZERO), ONE)
    return coverage if cosine > ZERO else ZERO
