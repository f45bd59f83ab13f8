"""The face spread out on the texture square without overlaps."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.face.topology import mirror_vertices

FOREHEAD = 10
"""The uppermost point of the outline."""

ROUNDNESS = 4.0
"""Exponent of the superellipse onto which the outline goes: 2 is a circle, more fills the square better."""


def unwrap(vertices: Tensor, faces: Tensor) -> Tensor:
    """Texture coordinates (V, 2) in [0, 1]: u to the subject's left, v downward, float64.

    Every inner vertex is a weighted mean of its neighbours, the outline lies on a convex curve: with positive weights no
    triangle can overlap another (Tutte 1963). The weights are Floater's mean values (2003), which keep angles well.
    """
    weights = _mean_value_weights(vertices, faces)
    outline = _outline(faces)
    uv = torch.zeros(len(vertices), 2, dtype=vertices.dtype)
    uv[outline] = _superellipse(vertices, outline)
    inner = torch.ones(len(vertices), dtype=torch.bool)
    inner[outline] = False
    system = torch.diag(weights.sum(1)) - weights
    uv[inner] = torch.linalg.solve(system[inner][:, inner], weights[inner][:, outline] @ uv[outline])
    flip = uv.new_tensor([-1.0, 1.0])
    uv = (uv + uv[mirror_vertices()] * flip) / 2
    return 0.5 + 0.49 * uv * uv.new_tensor([1.0, -1.0])


def _mean_value_weights(vertices: Tensor, faces: Tensor) -> Tensor:
    """(V, V) weight of each neighbour (column) for a vertex (row): tan of half the angles beside the edge, over its length."""
    weights = torch.zeros(len(vertices), len(vertices), dtype=vertices.dtype)
    for corner in range(3):
        at, one, other = (faces[:, (corner + k) % 3] for k in range(3))
        u, v = vertices[one] - vertices[at], vertices[other] - vertices[at]
        cross, dot = torch.linalg.cross(u, v, dim=-1).norm(dim=-1), (u * v).sum(-1)
        half_angle = torch.tan(torch.atan2(cross, dot) / 2)
        weights.index_put_((at, one), half_angle / u.norm(dim=-1), accumulate=True)
        weights.index_put_((at, other), half_angle / v.norm(dim=-1), accumulate=True)
    return weights


def _outline(faces: Tensor) -> Tensor:
    """The vertices of the mesh's only border, in order, beginning at the top of the forehead."""
    edges = {(int(t[k]), int(t[(k + 1) % 3])) for t in faces for k in range(3)}
    following = {a: b for a, b in edges if (b, a) not in edges}
    loop = [FOREHEAD]
    while (vertex := following[loop[-1]]) != FOREHEAD:
        loop.append(vertex)
    return torch.tensor(loop)


def _superellipse(vertices: Tensor, outline: Tensor) -> Tensor:
    """Points (N, 2) on a superellipse in [-1, 1]^2 in the directions in which the outline's vertices are seen from its middle."""
    seen = vertices[outline][:, :2]
    low, high = seen.amin(0), seen.amax(0)
    seen = (seen - (low + high) / 2) / ((high - low) / 2)
    return seen / (seen.abs() ** ROUNDNESS).sum(1, keepdim=True) ** (1 / ROUNDNESS)
