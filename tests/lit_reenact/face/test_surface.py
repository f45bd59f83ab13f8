"""Nearest points of a mesh against values by hand and a dense search; spreading against its own definition."""

from __future__ import annotations

import torch

from lit_reenact.core.facemesh import LOWER_LIP_RIM, UPPER_LIP_RIM
from lit_reenact.face import builtin_model
from lit_reenact.face.spreading import spread
from lit_reenact.face.surface import closest_weights, nearest_on_mesh

TRIANGLE = torch.tensor([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])


def test_closest_point_of_a_triangle_by_hand() -> None:
    points = torch.tensor([[1.0, 1, 5], [2, -3, 0], [-1, -1, 1], [9, 1, 0], [4, 4, 2]])  # above, below an edge, three beyond
    expected = torch.tensor([[1.0, 1, 0], [2, 0, 0], [0, 0, 0], [4, 0, 0], [2, 2, 0]])
    weights = closest_weights(points, TRIANGLE.expand(5, 3, 3))
    assert torch.allclose(weights @ TRIANGLE, expected, atol=1e-6)
    flat = torch.tensor([[0.0, 0, 0], [4, 0, 0], [2, 0, 0]])  # no area
    assert torch.allclose(closest_weights(torch.tensor([1.0, 1, 0]), flat) @ flat, torch.tensor([1.0, 0, 0]))


def test_nearest_point_of_the_face_against_a_dense_search() -> None:
    model = builtin_model()
    points = model.vertices[:468:9] + 4 * torch.randn(52, 3, generator=torch.Generator().manual_seed(0))
    steps = torch.linspace(0, 1, 13)
    u, v = (w.flatten() for w in torch.meshgrid(steps, steps, indexing="ij"))
    lattice = torch.stack([1 - u - v, u, v], -1)[u + v <= 1 + 1e-6]
    dense = (lattice @ model.vertices[model.faces]).flatten(0, 1)
    near = nearest_on_mesh(points, model.vertices, model.faces)
    places = (model.vertices[model.faces[near.triangle]] * near.weights[..., None]).sum(1)
    assert torch.allclose((places - points).norm(dim=1), near.distance, atol=1e-4)
    searched = torch.cdist(points, dense).amin(1)
    assert (near.distance <= searched + 1e-4).all()
    assert (near.distance > searched - 0.6).all()  # as fine as the lattice is


def test_triangles_that_face_away_are_passed_over() -> None:
    vertices = torch.cat([TRIANGLE, TRIANGLE - torch.tensor([0.0, 0, 3])])
    faces = torch.tensor([[0, 2, 1], [3, 4, 5]])  # the upper one looks down
    above = torch.tensor([[1.0, 1, 1]])
    assert int(nearest_on_mesh(above, vertices, faces).triangle) == 0
    assert int(nearest_on_mesh(above, vertices, faces, torch.tensor([[0.0, 0, 1]])).triangle) == 1


def test_spreading_is_exact_fades_and_keeps_the_lips_apart() -> None:
    model = builtin_model()
    opened = model.landmarks(model.vertices + model.expression_basis[model.expression_names.index("jawOpen")])
    moves = torch.randn(468, 3, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(spread(moves, opened, model.landmark_corners, model.landmark_weights), moves, atol=1e-4)
    far = torch.tensor([[0.0, 0, -200]])
    field = spread(moves, torch.cat([opened, far]), model.landmark_corners, model.landmark_weights)
    assert field[-1].norm() < 1e-3
    upper = torch.zeros(468, 3)
    upper[list(UPPER_LIP_RIM[1:-1])] = 1.0
    between = 0.95 * opened[[13, 14]] + 0.05 * opened[[14, 13]]
    field = spread(upper, torch.cat([opened, between]), model.landmark_corners, model.landmark_weights)
    assert (field[468] - 1).abs().max() < 0.4  # just below the upper lip
    assert field[469].abs().max() < 0.2  # just above the lower one
    assert field[list(LOWER_LIP_RIM)].abs().max() < 1e-4
