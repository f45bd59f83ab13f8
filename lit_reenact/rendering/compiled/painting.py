"""Painting, compiled: the rules of ``painting``, a pixel at a time, from its samples to its bytes."""

from __future__ import annotations

import math

import numpy as np

from lit_reenact.core.schema import CONDITIONING_CHANNELS, EMPTY
from lit_reenact.face.topology import EYE_LEFT, MOUTH
from lit_reenact.rendering.compiled.jit import HALF, ONE, ZERO, Bytes, Floats, Indices, Number, fused_inline, fused_kernel, inline
from lit_reenact.rendering.compiled.rasterizer import Window, barycentric
from lit_reenact.rendering.compiled.records import PATCH, Frame, Patch, Patches, Person
from lit_reenact.rendering.eyeballs import EYE_WHITE, IRIS
from lit_reenact.rendering.scene import FIRST_SAMPLE, SAMPLES

WHITE, BLUE = np.array(EYE_WHITE, np.float32), np.array(IRIS, np.float32)
COUNT = SAMPLES**2

# A group of a pixel's samples is a number with one bit for each sample. The tables below are indexed by it.
GROUPS = [[k for k in range(COUNT) if group >> k & 1] for group in range(2**COUNT)]
ALL = np.uint64(len(GROUPS) - 1)
FIRST = np.array([min(group, default=0) for group in GROUPS], np.uint64)
LEVELS = np.array([255 / COUNT * len(group) for group in GROUPS], np.float32)  # the group's part of the pixel's 255
ACROSS = np.array([np.mean([k % SAMPLES + 0.5 for k in group or [0]]) for group in GROUPS], np.float32)  # centroid
DOWN = np.array([np.mean([k // SAMPLES + 0.5 for k in group or [0]]) for group in GROUPS], np.float32)
VOTES = np.array([round(len(group) / FIRST_SAMPLE) + (0 in group) for group in GROUPS], np.uint64)
VOTE_BITS = 16
"""Bits for the votes of one label. The votes for all labels stand side by side in one number."""


@fused_kernel
def paint(person: Person, frame: Frame, window: Window, image: Bytes) -> None:
    """Paint one image.

    Args:
        person: triangles, texture and eyes of the person.
        frame: pose, light and rasterized triangles of the frame.
        window: part of ``frame.drawn`` outside of which nothing is drawn, in whole pixels.
        image: uint8 (H, W, CONDITIONING_CHANNELS + 1), output; the label is the last channel.
    """
    image[:] = 0
    first_row, end_row, first_column, end_column = window
    first_column, end_column = first_column // SAMPLES, end_column // SAMPLES
    sums = np.empty((end_column - first_column, CONDITIONING_CHANNELS + 1), np.float32)
    patches = np.empty(len(sums) * COUNT, PATCH)
    for row in range(first_row // SAMPLES, end_row // SAMPLES):
        sums[:] = ZERO
        count = _gather(person, frame, row, first_column, sums, patches)
        _locate(patches[:count], frame.points, person.faces, frame.attributes, person.texture)
        _colour(patches[:count], frame.attributes, person.texture, sums)
        shades, levels = image[row, first_column:end_column].reshape(-1), sums.reshape(-1)
        for place in range(len(levels)):
            shades[place] = np.uint8(np.int32(np.rint(levels[place])))


@fused_kernel
def _gather(person: Person, frame: Frame, row: int, first_column: int, sums: Floats, patches: Patches) -> np.uint64:
    """Group the samples of a row of pixels into patches.

    Args:
        person: triangles and labels.
        frame: triangle of each sample.
        row: row of pixels.
        first_column: column of the first pixel.
        sums: float32 (N, CONDITIONING_CHANNELS + 1), output of N pixels: what is seen between lids and lips, and the labels.
        patches: (N * COUNT,), output: triangle, pixel, place and levels of each patch.

    Returns:
        Number of patches.
    """
    drawn, region, label = frame.drawn, person.region, person.label
    count = np.uint64(0)
    for pixel in range(len(sums)):
        here = np.uint64(pixel)
        top, left = np.uint64(SAMPLES * row), np.uint64(SAMPLES * (first_column + pixel))
        rest = np.uint64(0)  # the samples that are still to be grouped
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
            opening = EYE_LEFT <= region[face] <= MOUTH
            group = np.uint64(opening) << first
            if not opening:
                for k in range(COUNT):
                    same = drawn[top + np.uint64(k // SAMPLES), left + np.uint64(k % SAMPLES)] == number
                    group |= np.uint64(same) << np.uint64(k)
            rest ^= group
            shown = label[face]
            votes += VOTES[group] << np.uint64(shown * VOTE_BITS)
            patch = patches[count]
            count += np.uint64(1)
            patch.face, patch.pixel = face, here
            patch.x, patch.y = np.float32(np.int64(left)) + ACROSS[group], np.float32(np.int64(top)) + DOWN[group]
            patch.light_level = patch.colour_level = LEVELS[group]
            if opening:
                _look_through(person, frame, sample, patch, sums)
        sums[here, CONDITIONING_CHANNELS] = np.float32(shown if group == ALL else _elect(votes, shown))
    return count


@inline
def _elect(votes: Number, shown: Number) -> Number:
    """Return the label with the most votes, the lowest one in a tie."""
    most = np.uint64(0)
    for candidate in range(4):
        votes_for = (votes >> np.uint64(VOTE_BITS * candidate)) & np.uint64((1 << VOTE_BITS) - 1)
        shown = candidate if votes_for > most else shown
        most = max(votes_for, most)
    return shown


@fused_inline
def _look_through(person: Person, frame: Frame, sample: tuple[Number, Number], patch: Patch, sums: Floats) -> None:
    """Add what a sample between lids or lips shows behind them to its pixel, and take its weight from the patch."""
    part, pixel = person.region[np.uint64(patch.face)], np.uint64(patch.pixel)
    side = np.uint64(part - EYE_LEFT)
    level = patch.light_level * frame.openness[side]
    patch.light_level -= level
    if part != MOUTH:
        patch.colour_level -= level
        iris = _iris_coverage(person, frame, side, patch.x, patch.y)
        for channel in range(3):
            sums[pixel, 6 + channel] += level * (WHITE[channel] + iris * (BLUE[channel] - WHITE[channel]))
    elif level > ZERO and frame.inside[sample] >= 0:
        patch.colour_level -= level
        _add_mouth(person, frame, np.uint64(frame.inside[sample]), patch, level, sums)


@fused_inline
def _add_mouth(person: Person, frame: Frame, face: Number, patch: Patch, level: Number, sums: Floats) -> None:
    """Add the colours of triangle ``face`` behind the lips to the pixel of a patch, times ``level``."""
    points, attributes, x, y, pixel = frame.points, frame.attributes, patch.x, patch.y, np.uint64(patch.pixel)
    p, q, r = person.inner_faces[face, 0], person.inner_faces[face, 1], person.inner_faces[face, 2]
    a, b, c = barycentric(
        (points[p, 0] - x, points[p, 1] - y, points[p, 2]),
        (points[q, 0] - x, points[q, 1] - y, points[q, 2]),
        (points[r, 0] - x, points[r, 1] - y, points[r, 2]),
    )
    for channel in range(6):
        value = a * attributes[p, channel] + b * attributes[q, channel] + c * attributes[r, channel]
        if channel < 3:
            value *= person.inner_albedo[face, channel]
        sums[pixel, channel] += level * min(max(value, ZERO), ONE)


@fused_kernel
def _locate(patches: Patches, points: Floats, faces: Indices, attributes: Floats, texture: Floats) -> None:
    """Find where in their triangles, and in the texture, patches lie."""
    last_column, last_row = np.float32(texture.shape[1] - 2), np.float32(texture.shape[0] - 2)
    for number in range(len(patches)):
        patch = patches[np.uint64(number)]
        face = np.uint64(patch.face)
        p, q, r = faces[face, 0], faces[face, 1], faces[face, 2]
        x, y = patch.x, patch.y
        a, b, c = barycentric(
            (points[p, 0] - x, points[p, 1] - y, points[p, 2]),
            (points[q, 0] - x, points[q, 1] - y, points[q, 2]),
            (points[r, 0] - x, points[r, 1] - y, points[r, 2]),
        )
        u = a * attributes[p, 6] + b * attributes[q, 6] + c * attributes[r, 6]
        v = a * attributes[p, 7] + b * attributes[q, 7] + c * attributes[r, 7]
        patch.p, patch.q, patch.r, patch.a, patch.b, patch.c = p, q, r, a, b, c
        patch.west, patch.east_share = _texel(u, last_column)
        patch.north, patch.south_share = _texel(v, last_row)


@fused_kernel
def _colour(patches: Patches, attributes: Floats, texture: Floats, sums: Floats) -> None:
    """Add the colours of the patches to their pixels."""
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


@inline
def _texel(coordinate: Number, last: Number) -> tuple[Number, Number]:
    """Return the texel before a texture coordinate, at most ``last``, and the distance from its centre in texels, [0, 1]."""
    place = min(max(coordinate * (last + ONE) - HALF, ZERO), last)
    first = np.int32(place)
    return np.uint32(first), place - np.float32(first)


@inline
def _iris_coverage(person: Person, frame: Frame, side: Number, x: Number, y: Number) -> Number:
    """Return ``eyeballs.iris_coverage`` of the sample at ``x`` and ``y``, for the eye on one side."""
    radius = person.eye_radius
    centre_x, centre_y, centre_z = frame.eyes[side, 0], frame.eyes[side, 1], frame.eyes[side, 2]
    gaze_x, gaze_y, gaze_z = frame.eyes[side, 3], frame.eyes[side, 4], frame.eyes[side, 5]
    ray_x = (x - np.float32(frame.drawn.shape[1] / 2)) / frame.focal
    ray_y = (y - np.float32(frame.drawn.shape[0] / 2)) / frame.focal
    length = math.sqrt(ray_x * ray_x + ray_y * ray_y + ONE)
    ray_x, ray_y, ray_z = ray_x / length, ray_y / length, ONE / length
    nearest = ray_x * centre_x + ray_y * centre_y + ray_z * centre_z
    off_x, off_y, off_z = centre_x - nearest * ray_x, centre_y - nearest * ray_y, centre_z - nearest * ray_z
    distance = nearest - math.sqrt(max(radius * radius - (off_x * off_x + off_y * off_y + off_z * off_z), ZERO))
    out_x, out_y, out_z = distance * ray_x - centre_x, distance * ray_y - centre_y, distance * ray_z - centre_z
    cosine = (out_x * gaze_x + out_y * gaze_y + out_z * gaze_z) / math.sqrt(out_x * out_x + out_y * out_y + out_z * out_z)
    off_axis = radius * math.sqrt(max(ONE - cosine * cosine, ZERO))
    coverage = min(max((person.iris_radius - off_axis) / (distance / frame.focal) + HALF, ZERO), ONE)
    return coverage if cosine > ZERO else ZERO
