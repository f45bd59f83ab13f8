"""FaceModel's methods against naive loops."""

from __future__ import annotations

import dataclasses

import torch

from lit_reenact.core.schema import Actor, FaceParameters
from lit_reenact.face import builtin_model, vertex_normals
from lit_reenact.face.model import FaceModel
from tests.factories import make_actor


def some_parameters(model: FaceModel, frames: int) -> FaceParameters:
    generator = torch.Generator().manual_seed(0)

    def draw(size: int) -> torch.Tensor:
        return torch.randn(frames, size, generator=generator)

    return FaceParameters(
        rotation=draw(3), translation=draw(3), identity=draw(len(model.identity_basis)), illumination=draw(27), gaze=draw(4),
        expression=draw(len(model.expression_basis)),
    )  # fmt: skip


def test_landmarks_of_a_frame_are_those_of_its_mesh() -> None:
    """Landmarks between vertices, with an offset, and an identity other than the actor's."""
    generator = torch.Generator().manual_seed(2)
    model = dataclasses.replace(
        builtin_model(),
        landmark_corners=torch.randint(468, (468, 3), generator=generator),
        landmark_weights=torch.rand(468, 3, generator=generator).softmax(1),
        landmark_offset=torch.randn(468, 3, generator=generator),
    )
    parameters, actor = some_parameters(model, frames=3), make_actor(model)
    expected = model.landmarks(model.mesh(actor, parameters))
    torch.testing.assert_close(model.landmarks_of(actor, parameters), expected, atol=1e-3, rtol=1e-5)


def test_mesh_is_the_linear_model() -> None:
    model = builtin_model()
    parameters = some_parameters(model, frames=3)
    generator = torch.Generator().manual_seed(1)
    actor = Actor(
        neutral=model.vertices + torch.randn(model.vertices.shape, generator=generator),
        identity=torch.randn(78, generator=generator),
        reflectance=torch.zeros(3, 4, 4),
        eyeballs=model.eyeballs,
        gaze_offset=torch.zeros(4),
        correctives=torch.zeros(0, 468, 3),
    )
    mesh = model.mesh(actor, parameters)
    assert mesh.shape == (3, *model.vertices.shape)
    for frame in range(3):
        expected = actor.neutral.double()
        for k in range(78):
            expected = expected + model.identity_basis[k].double() * float(parameters.identity[frame, k] - actor.identity[k])
        for k in range(len(model.expression_names)):
            expected = expected + model.expression_basis[k].double() * float(parameters.expression[frame, k])
        assert torch.allclose(mesh[frame].double(), expected, atol=1e-3)


def test_actor_at_rest_is_the_neutral_mesh() -> None:
    model = builtin_model()
    identity = torch.arange(78.0)
    actor = Actor(model.vertices + 1, identity, torch.zeros(3, 4, 4), model.eyeballs, torch.zeros(4), torch.zeros(0, 468, 3))
    rest = some_parameters(model, 2).replace(
        identity=identity.expand(2, -1), expression=torch.zeros(2, len(model.expression_names))
    )
    assert torch.equal(model.mesh(actor, rest), (model.vertices + 1).expand(2, -1, -1))


def test_vertex_normals_against_a_loop() -> None:
    model = builtin_model()
    vertices = model.vertices + torch.randn(2, *model.vertices.shape, generator=torch.Generator().manual_seed(2))
    normals = vertex_normals(vertices, model.faces)
    used = torch.unique(model.faces)
    for t in range(2):
        total = torch.zeros_like(model.vertices)
        for i, j, k in model.faces.tolist():
            a, b, c = vertices[t, i], vertices[t, j], vertices[t, k]
            total[[i, j, k]] += torch.linalg.cross(b - a, c - a)
        assert torch.allclose(normals[t, used], (total / total.norm(dim=1, keepdim=True))[used], atol=1e-4)
    assert torch.allclose(normals[:, used].norm(dim=-1), torch.ones(2, len(used)))


def test_normals_of_a_tetrahedron() -> None:
    corners = torch.tensor([[[1.0, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]])
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    assert torch.allclose(vertex_normals(corners, faces), corners / 3**0.5)


def test_hash_says_what_the_model_is() -> None:
    model = builtin_model()
    assert len(model.hash) == 16
    assert int(model.hash, 16) > 0
    assert model.to("cpu").hash == model.hash
    moved = dataclasses.replace(model, vertices=model.vertices + 0.001)
    assert moved.hash != model.hash
    assert dataclasses.replace(model, name="other/place.npz").hash == model.hash  # the same file may lie elsewhere
