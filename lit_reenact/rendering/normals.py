"""Vertex normals of many meshes with the same triangles."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, normalize


class VertexNormals:
    """Vertex normals of meshes whose triangles do not change.

    The result is that of ``face.model.vertex_normals``, several times as fast, and summed in the same order on every device.

    Args:
        faces: int64 (F, 3), corners of the triangles.
        vertices: number of vertices V.

    Example:
        >>> normals = VertexNormals(model.faces, len(model.vertices))
        >>> normals(meshes)  # (T, V, 3)
    """

    def __init__(self, faces: Tensor, vertices: int) -> None:
        self.faces = faces
        corner = faces.T.flatten()
        count = corner.bincount(minlength=vertices)
        self._around = corner.argsort(stable=True) % max(1, len(faces))  # the triangles about the first vertex, the second, ...
        self._first = count.cumsum(0) - count

    def __call__(self, meshes: Tensor) -> Tensor:
        """Return unit normals (T, V, 3) of meshes (T, V, 3); 0 at vertices without triangles."""
        a, b, c = (meshes.index_select(1, corner) for corner in self.faces.T)  # (T, F, 3)
        normals = torch.linalg.cross(b - a, c - a, dim=-1)
        return normalize(torch.stack([embedding_bag(self._around, n, self._first, mode="sum") for n in normals]), dim=-1)
