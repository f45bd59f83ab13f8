"""``vertices.place`` once more, compiled: a vertex at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lit_reenact.rendering.compiled.numba_types import ONE, Floats, Indices, compiled

TINY = np.float32(1e-12)
"""Normals shorter than this are those of vertices without triangles."""


@compiled
def place(
    mesh: Floats,
    rotation: Floats,
    translation: Floats,
    focal: np.float32,
    centre: tuple[np.float32, np.float32],
    faces: Indices,
    light: Floats,
    colours: Floats,
    points: Floats,
    attributes: Floats,
) -> None:
    """One frame.

    Args:
        mesh: (V, 3).
        rotation: (3, 3) from the head's to the camera's axes.
        translation: (3,).
        focal: in pixels.
        centre: of the image.
        faces: (F, 3), those that make the normals.
        light: (9, 3), what the products of a normal's coordinates bring: 1 | y, z, x | xy, yz, zz, xz, xx - yy.
        colours: (V, 5), the other attributes.
        points: (V, 3), becomes x and y in pixels, depth in mm.
        attributes: (V, 8), becomes light and colours.
    """
    turned, normals = np.empty_like(mesh), np.zeros_like(mesh)
    for vertex in range(len(mesh)):
        v = np.uint64(vertex)
        for axis in range(3):
            turned[v, axis] = mesh[v, 0] * rotation[axis, 0] + mesh[v, 1] * rotation[axis, 1] + mesh[v, 2] * rotation[axis, 2]
        depth = turned[v, 2] + translation[2]
        scale = focal / depth
        points[v, 0] = (turned[v, 0] + translation[0]) * scale + centre[0]
        points[v, 1] = (turned[v, 1] + translation[1]) * scale + centre[1]
        points[v, 2] = depth
    for face in range(len(faces)):
        p, q, r = faces[np.uint64(face), 0], faces[np.uint64(face), 1], faces[np.uint64(face), 2]
        ux, uy, uz = turned[q, 0] - turned[p, 0], turned[q, 1] - turned[p, 1], turned[q, 2] - turned[p, 2]
        vx, vy, vz = turned[r, 0] - turned[p, 0], turned[r, 1] - turned[p, 1], turned[r, 2] - turned[p, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (p, q, r):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    for vertex in range(len(mesh)):
        v = np.uint64(vertex)
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        size: Any = math.sqrt(x * x + y * y + z * z)
        share = ONE / max(size, TINY)
        x, y, z = x * share, y * share, z * share
        xy, yz, zz, xz, xxyy = x * y, y * z, z * z, x * z, x * x - y * y
        for channel in range(3):
            linear = light[0, channel] + light[1, channel] * y + light[2, channel] * z + light[3, channel] * x
            square = light[4, channel] * xy + light[5, channel] * yz + light[6, channel] * zz
            attributes[v, channel] = linear + square + light[7, channel] * xz + light[8, channel] * xxyy
        for channel in range(5):
            attributes[v, 3 + channel] = colours[v, channel]
