"""Laplacians of a triangle mesh, and smooth interpolation over it."""

from __future__ import annotations

import torch
from torch import Tensor


def graph_laplacian(faces: Tensor, vertex_count: int) -> Tensor:
    """Return degree minus adjacency of the edges of triangles int64 (F, 3): float64 (V, V)."""
    adjacency = torch.zeros(vertex_count, vertex_count, dtype=torch.float64)
    for start, end in ((0, 1), (1, 2), (2, 0)):
        adjacency[faces[:, start], faces[:, end]] = 1
        adjacency[faces[:, end], faces[:, start]] = 1
    return torch.diag(adjacency.sum(1)) - adjacency


def cotangent_laplacian(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Return the discrete Laplace operator (V, V), positive semi-definite, and each vertex's share of the area (V,), float64."""
    count = len(vertices)
    weights = torch.zeros(count, count, dtype=torch.float64)
    area = torch.zeros(count, dtype=torch.float64)
    for corner in range(3):
        at, one, other = (faces[:, (corner + k) % 3] for k in range(3))
        u, v = vertices[one] - vertices[at], vertices[other] - vertices[at]
        double_area = torch.linalg.cross(u, v, dim=-1).norm(dim=-1)
        cotangent = (u * v).sum(-1) / double_area
        weights.index_put_((one, other), cotangent / 2, accumulate=True)
        weights.index_put_((other, one), cotangent / 2, accumulate=True)
        area.index_add_(0, at, double_area / 6)
    return torch.diag(weights.sum(1)) - weights, area


def interpolation_kernel(vertices: Tensor, faces: Tensor, reach: float) -> Tensor:
    """Return the inverse (V, V) of the screened biharmonic energy: column j is the response of the mesh to a pull at vertex j.

    The energy of a displacement u is ``|L u + u / reach^2|^2``: bending, with a restoring force by which a displacement fades
    over about ``reach`` mm. The smoothest field through given displacements d at vertices H is ``K[:, H] K[H, H]^-1 d``.
    """
    laplacian, area = cotangent_laplacian(vertices, faces)
    screened = laplacian + torch.diag(area / reach**2)
    inverse: Tensor = torch.linalg.inv(screened)
    return inverse @ (area[:, None] * inverse)


def interpolate(kernel: Tensor, handles: Tensor, displacement: Tensor) -> Tensor:
    """Return the smoothest field (V, 3) with the given displacement (N, 3) at the vertices ``handles`` (N,).

    Args:
        kernel: (V, V) result of ``interpolation_kernel``.
        handles: int64 (N,) vertices whose displacement is given.
        displacement: (N, 3) mm.
    """
    pull: Tensor = torch.linalg.solve(kernel[handles][:, handles], displacement)
    return kernel[:, handles] @ pull
