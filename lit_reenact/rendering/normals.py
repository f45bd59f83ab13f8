"""Vertex normals of many meshes with the same triangles."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, normalize


class VertexNormals:
    """``face.model.vertex_normals`` for fixed triangles: several times as fast, and in the same order of sums on every device.

    Args:
        faces: int64 (F, 3).
        vertices: how many there are.
    """

    def __init__(self, faces: Tensor, vertices: int) -> None:
        self.faces = faces
        corner = faces.T.flatten()
        count = corner.bincount(minlength=vertices)
        self._around = corner.argsort(stable=True) % max(1, len(faces))  # the triangles about the first vertex, the second, ...
        self._first = count.cumsum(0) - count

    def __call__(self, meshes: Tensor) -> Tensor:
        """Unit normals (T, V, 3) of meshes (T, V, 3)."""
        a, b, c = (meshes.index_select(1, corner) for corner in self.faces.T)  # (T, F, 3)
        normals = torch.linalg.cross(b - a, c - a, dim=-1)
        return normalize(torch.stack([embedding_bag(self._around, n, self._first, mode="sum") for n in normals]), dim=-1)
