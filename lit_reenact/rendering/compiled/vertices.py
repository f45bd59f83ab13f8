"""Projection and lighting of vertices, compiled: the sums of ``vertices.place_vertices``, a vertex at a time."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lit_reenact.rendering.compiled.jit import ONE, Floats, Indices, Number, kernel

TINY = np.float32(1e-12)
"""Lower bound of the length that a normal is divided by: a vertex without triangles keeps the normal 0."""


class View(NamedTuple):
    """Pose of the head in one frame, and the camera.

    Attributes:
        rotation: float32 (3, 3), from head axes to camera axes.
        translation: float32 (3,), mm, camera axes.
        focal: float32, focal length in pixels.
        centre_x: float32, column of the principal point in pixels.
        centre_y: float32, row of the principal point in pixels.
    """

    rotation: Floats
    translation: Floats
    focal: np.float32
    centre_x: np.float32
    centre_y: np.float32


@kernel
def place(mesh: Floats, view: View, faces: Indices, light: Floats, points: Floats, attributes: Floats) -> None:
    """Project and light the vertices of one frame.

    Args:
        mesh: float32 (V, 3), mm, head axes.
        view: pose and camera of the frame.
        faces: uint32 (F, 3), corners of the triangles that the vertex normals are computed from.
        light: float32 (9, 3), ``shading.irradiance_polynomial`` of the frame.
        points: float32 (V, 3), output: x and y in pixels, depth in mm.
        attributes: float32 (V, C), C >= 3; output in the first three columns: irradiance, RGB.
    """
    turned = _project(mesh, view, points)
    normals = _sum_normals(turned, faces)
    for vertex in range(len(normals)):
        v = np.uint64(vertex)
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        size: Number = math.sqrt(x * x + y * y + z * z)
        share = ONE / max(size, TINY)
        x, y, z = x * share, y * share, z * share
        xy, yz, zz, xz, xxyy = x * y, y * z, z * z, x * z, x * x - y * y
        for channel in range(3):
            linear = light[0, channel] + light[1, channel] * y + light[2, channel] * z + light[3, channel] * x
            square = light[4, channel] * xy + light[5, channel] * yz + light[6, channel] * zz
            attributes[v, channel] = linear + square + light[7, channel] * xz + light[8, channel] * xxyy


@kernel
def _project(mesh: Floats, view: View, points: Floats) -> Floats:
    """Write the projected vertices into ``points`` (V, 3); return the mesh in camera axes without translation, (V, 3) mm."""
    rotation, translation, turned = view.rotation, view.translation, np.empty_like(mesh)
    for vertex in range(len(mesh)):
        v = np.uint64(vertex)
        for axis in range(3):
            turned[v, axis] = mesh[v, 0] * rotation[axis, 0] + mesh[v, 1] * rotation[axis, 1] + mesh[v, 2] * rotation[axis, 2]
        depth = turned[v, 2] + translation[2]
        scale = view.focal / depth
        points[v, 0] = (turned[v, 0] + translation[0]) * scale + view.centre_x
        points[v, 1] = (turned[v, 1] + translation[1]) * scale + view.centre_y
        points[v, 2] = depth
    return turned


@kernel
def _sum_normals(vertices: Floats, faces: Indices) -> Floats:
    """Sum the area-weighted normals of the triangles about each vertex: (V, 3), not of unit length."""
    normals = np.zeros_like(vertices)
    for face in range(len(faces)):
        p, q, r = faces[np.uint64(face), 0], faces[np.uint64(face), 1], faces[np.uint64(face), 2]
        ux, uy, uz = vertices[q, 0] - vertices[p, 0], vertices[q, 1] - vertices[p, 1], vertices[q, 2] - vertices[p, 2]
        vx, vy, vz = vertices[r, 0] - vertices[p, 0], vertices[r, 1] - vertices[p, 1], vertices[r, 2] - vertices[p, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (p, q, r):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    return normals
