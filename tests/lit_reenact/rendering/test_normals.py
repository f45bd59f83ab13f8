"""Normals of fixed triangles against ``face.model.vertex_normals``."""

from __future__ import annotations

import pytest
import torch

from lit_reenact.face import builtin_model
from lit_reenact.face.model import vertex_normals
from lit_reenact.rendering.normals import VertexNormals


def test_they_equal_the_normals_of_the_face_model() -> None:
    model = builtin_model()
    meshes = model.vertices + torch.randn(3, *model.vertices.shape, generator=torch.Generator().manual_seed(0))
    normals = VertexNormals(model.faces, len(model.vertices))(meshes)
    torch.testing.assert_close(normals, vertex_normals(meshes, model.faces))


def test_a_vertex_without_triangles_has_no_normal() -> None:
    points = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]]])
    normals = VertexNormals(torch.tensor([[0, 1, 2]]), 4)(points)
    torch.testing.assert_close(normals, torch.tensor([[[0.0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]]]))


@pytest.mark.parametrize("threads", [1, 2])
def test_no_meshes_have_no_normals(threads: int) -> None:
    faces = torch.tensor([[0, 1, 2], [2, 1, 3]])
    torch.set_num_threads(threads)  # torch's own sum fails on two
    assert VertexNormals(faces, 5)(torch.zeros(0, 5, 3)).shape == (0, 5, 3)
