"""Nearest points on a triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.spatial import KDTree
from torch import Tensor

CANDIDATES = 24
"""Number of triangles that are tried for each point: those whose centres are nearest."""


@dataclass(frozen=True)
class SurfacePoints:
    """N points on a mesh.

    Attributes:
        triangle: int64 (N,) number of the triangle.
        weights: (N, 3) barycentric weights of its corners.
        distance: (N,) distance from the query point, in the unit of the mesh.
    """

    triangle: Tensor
    weights: Tensor
    distance: Tensor


def nearest_on_mesh(points: Tensor, vertices: Tensor, faces: Tensor, normals: Tensor | None = None) -> SurfacePoints:
    """Find the points of a mesh that are nearest to N query points.

    Args:
        points: (N, 3) query points.
        vertices: (V, 3) vertices of the mesh.
        faces: int64 (F, 3) triangles of the mesh.
        normals: (N, 3) normals at the query points; triangles that face away from them are skipped where there are others.
    """
    corners = vertices[faces]  # (F, 3, 3)
    count = min(CANDIDATES, len(faces))
    _, near = KDTree(corners.mean(1).numpy()).query(points.numpy(), k=list(range(1, count + 1)))
    tried = torch.from_numpy(near)  # (N, C)
    weights = closest_weights(points[:, None], corners[tried])  # (N, C, 3)
    distance = ((weights[..., None] * corners[tried]).sum(-2) - points[:, None]).norm(dim=-1)
    cost = distance
    if normals is not None:
        a, b, c = corners[tried].unbind(2)
        facing = (torch.linalg.cross(b - a, c - a, dim=-1) * normals[:, None]).sum(-1) > 0
        cost = torch.where(facing, distance, distance + 1e6)
    best = cost.argmin(1, keepdim=True)
    chosen = weights.gather(1, best[..., None].expand(-1, -1, 3))[:, 0]
    return SurfacePoints(tried.gather(1, best)[:, 0], chosen, distance.gather(1, best)[:, 0])


def closest_weights(points: Tensor, corners: Tensor) -> Tensor:
    """Return barycentric weights (..., 3) of the point of each triangle (..., 3, 3) that is nearest to ``points`` (..., 3)."""
    a, b, c = corners.unbind(-2)
    inside = _plane_weights(points - a, b - a, c - a)  # (..., 3)
    zero = torch.zeros_like(inside[..., 0])
    ab, bc, ca = (_edge_share(points, p, q) for p, q in ((a, b), (b, c), (c, a)))
    options = torch.stack(
        [
            inside,
            torch.stack([1 - ab, ab, zero], -1),
            torch.stack([zero, 1 - bc, bc], -1),
            torch.stack([ca, zero, 1 - ca], -1),
        ],
        -2,
    )  # (..., 4, 3)
    distance = ((options[..., None] * corners[..., None, :, :]).sum(-2) - points[..., None, :]).norm(dim=-1)
    allowed = (options >= 0).all(-1)
    best = torch.where(allowed, distance, torch.inf).argmin(-1)
    return options.gather(-2, best[..., None, None].expand(*best.shape, 1, 3)).squeeze(-2)


def _plane_weights(offset: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Return the barycentric weights of a point's projection onto the plane of a triangle; NaN where the triangle has no area.

    ``offset`` is the vector from the first corner to the point; ``u`` and ``v`` are those to the other corners, (..., 3) each.
    """
    uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    up, vp = (u * offset).sum(-1), (v * offset).sum(-1)
    determinant = uu * vv - uv * uv
    s, t = (vv * up - uv * vp) / determinant, (uu * vp - uv * up) / determinant
    return torch.stack([1 - s - t, s, t], -1)


def _edge_share(points: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Return the position along an edge of the point nearest to ``points``, in [0, 1]."""
    edge = end - start
    share: Tensor = ((points - start) * edge).sum(-1) / (edge * edge).sum(-1).clamp_min(1e-12)
    return share.clamp(0, 1)
