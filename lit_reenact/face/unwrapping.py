"""Unwrapping of a face onto the texture square without overlaps."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse
import torch
from scipy.sparse.linalg import spsolve
from torch import Tensor

ROUNDNESS = 4.0
"""Exponent of the superellipse onto which the outline goes: 2 is a circle, more fills the square better."""

FLATTENING = 4.0
"""Strength of the enlargement of a whole head's middle, which the nearly angle-preserving unwrapping leaves too small."""


def unwrap(vertices: Tensor, faces: Tensor, outline: Tensor, place: Tensor) -> Tensor:
    """Flatten a mesh with the topology of a disc: float64 (V, 2).

    Every inner vertex is a weighted mean of its neighbours, the outline lies on a convex curve: with positive weights no
    triangle can overlap another (Tutte 1963). The weights are Floater's mean values (2003), which keep angles well.

    Args:
        vertices: float64 (V, 3) vertices of the mesh.
        faces: int64 (F, 3) triangles, every vertex in one of them.
        outline: int64 (N,) vertices of the only border, in order.
        place: float64 (N, 2) flat places of the outline.
    """
    weights = _mean_value_weights(vertices, faces)
    inner = np.setdiff1d(np.arange(len(vertices)), outline.numpy())
    rows = weights[inner]
    system = scipy.sparse.diags(np.asarray(rows.sum(1))[:, 0]) - rows[:, inner]
    flat = vertices.new_empty(len(vertices), 2)
    flat[outline] = place
    flat[torch.from_numpy(inner)] = torch.from_numpy(spsolve(system.tocsc(), rows[:, outline.numpy()] @ place.numpy()))
    return flat


def unwrap_head(vertices: Tensor, skin: Tensor) -> Tensor:
    """Return texture coordinates (V, 2) in [0, 1] of a head that is open at the back and the neck: u to the left, v downward.

    The outline goes once around a disc, evenly, with its uppermost vertex on top. Then the disc is stretched along its radii,
    more in the middle, where the face is, and into the square.

    Args:
        vertices: float64 (V, 3) vertices of the head.
        skin: int64 (F, 3) triangles; vertices that are in none lie in the middle of the texture.
    """
    used, faces = torch.unique(skin, return_inverse=True)
    points = vertices[used]
    outline, *holes = border(faces)
    for rim in holes:  # a fan across each opening: a slit stays a slit
        faces = torch.cat([faces, fan(rim, len(points))])
        points = torch.cat([points, points[rim].mean(0, keepdim=True)])
    steps = (points[outline.roll(-1)] - points[outline]).norm(dim=1)
    along = (steps.cumsum(0) - steps) / steps.sum()
    angle = 2 * torch.pi * (along - along[points[outline, 1].argmax()])
    disc = unwrap(points, faces, outline, torch.stack([-angle.sin(), angle.cos()], -1))[: len(used)]  # counter-clockwise
    flatter = torch.atan(FLATTENING * disc.norm(dim=1, keepdim=True)) / math.atan(FLATTENING)
    flat = vertices.new_zeros(len(vertices), 2)
    flat[used] = superellipse(disc) * flatter
    return in_square(flat)


def fan(rim: Tensor, middle: int) -> Tensor:
    """Return the triangles int64 (N, 3) between the vertex ``middle`` and a border (N,) in the order of ``border``."""
    return torch.stack([rim.roll(-1), rim, torch.full_like(rim, middle)], 1)


def superellipse(directions: Tensor) -> Tensor:
    """Return the points (N, 2) of a superellipse in [-1, 1]^2 in the directions (N, 2)."""
    length = (directions.abs() ** ROUNDNESS).sum(1, keepdim=True) ** (1 / ROUNDNESS)
    return directions / length.clamp_min(1e-12)


def in_square(flat: Tensor) -> Tensor:
    """Convert places (V, 2) in [-1, 1]^2, y up, to texture coordinates in [0, 1], v downward."""
    return 0.5 + 0.49 * flat * flat.new_tensor([1.0, -1.0])


def border(faces: Tensor) -> list[Tensor]:
    """Return the closed borders of a mesh, the one with most vertices first; each int64 (N,), in the order of its triangles.

    The borders must not touch: a vertex in two of them has no single next one.
    """
    edges = {(t[k], t[(k + 1) % 3]) for t in faces.tolist() for k in range(3)}
    following = {a: b for a, b in edges if (b, a) not in edges}
    loops = []
    while following:
        loop = [min(following)]
        while (vertex := following.pop(loop[-1])) != loop[0]:
            loop.append(vertex)
        loops.append(torch.tensor(loop))
    return sorted(loops, key=len, reverse=True)


def _mean_value_weights(vertices: Tensor, faces: Tensor) -> scipy.sparse.csr_matrix:
    """Return the weight of each neighbour (column) for a vertex (row), (V, V): tan of half the angles beside the edge, over its
    length.
    """
    rows, columns, values = [], [], []
    for corner in range(3):
        at, one, other = (faces[:, (corner + k) % 3] for k in range(3))
        u, v = vertices[one] - vertices[at], vertices[other] - vertices[at]
        cross, dot = torch.linalg.cross(u, v, dim=-1).norm(dim=-1), (u * v).sum(-1)
        half_angle = torch.tan(torch.atan2(cross, dot) / 2)
        rows += [at, at]
        columns += [one, other]
        values += [half_angle / u.norm(dim=-1), half_angle / v.norm(dim=-1)]
    places = torch.cat(rows).numpy(), torch.cat(columns).numpy()
    return scipy.sparse.coo_matrix((torch.cat(values).numpy(), places), shape=(len(vertices), len(vertices))).tocsr()
