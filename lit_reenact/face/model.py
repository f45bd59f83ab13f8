"""The linear face model: a mean mesh, an identity and an expression basis over it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from lit_reenact.core.schema import Actor, FaceParameters


@dataclass(frozen=True, eq=False)
class FaceModel:
    """A face model of V vertices and F triangles. Lengths in mm, head axes of ``schema``; floats are float32.

    Attributes:
        name: as the track file and the command line call it: "builtin", or a path.
        vertices: (V, 3) the mean face, neutral: mouth closed, eyes open.
        faces: int64 (F, 3) counter-clockwise seen from outside.
        region: uint8 (F,) ``topology.SKIN``, ``EYE_LEFT``, ``EYE_RIGHT``, ``MOUTH`` (these three fill holes of the skin) or
            ``HEAD``.
        uv: (V, 2) in [0, 1], an unwrapping without overlaps; v grows downward, like the rows of a texture.
        correspondence: (V, 3) in [0, 1], a smooth colour that no two vertices share.
        identity_basis: (K_identity, V, 3) displacement for a coefficient of 1.
        identity_scale: (K_identity,) prior standard deviation of each coefficient.
        expression_basis: (K_expression, V, 3) displacement for a coefficient of 1.
        expression_names: ARKit names; a signed shape is called "positive-negative".
        expression_bounds: (K_expression, 2) smallest and largest sensible coefficient.
        landmark_corners: int64 (468, 3) the vertices between which each FaceMesh landmark lies.
        landmark_weights: (468, 3) its barycentric weights there, sum 1.
        landmark_offset: (468, 3) what FaceMesh puts elsewhere than this model's surface does, the same on every face.
        mirror_vertices: int64 (V,) the vertex on the other side of the face.
        eyeballs: (2, 3) centres of the left and the right eyeball of the mean face.
        eye_radius: of an eyeball.
        iris_radius: of an iris.
        inner_faces: int64 (G, 3) triangles behind the lips, which are not among ``faces``: seen through ``MOUTH`` alone.
        inner_albedo: (G, 3) their reflectance; that of teeth and gums is no part of a person's reflectance.
    """

    name: str
    vertices: Tensor
    faces: Tensor
    region: Tensor
    uv: Tensor
    correspondence: Tensor
    identity_basis: Tensor
    identity_scale: Tensor
    expression_basis: Tensor
    expression_names: tuple[str, ...]
    expression_bounds: Tensor
    landmark_corners: Tensor
    landmark_weights: Tensor
    landmark_offset: Tensor
    mirror_vertices: Tensor
    eyeballs: Tensor
    eye_radius: float = 12.0
    iris_radius: float = 5.9
    inner_faces: Tensor = field(default_factory=lambda: torch.empty(0, 3, dtype=torch.int64))
    inner_albedo: Tensor = field(default_factory=lambda: torch.empty(0, 3))

    @cached_property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 over everything that the model says; its name and device do not matter."""
        digest = hashlib.sha256()
        for name in (f.name for f in fields(self) if f.name != "name"):
            value = getattr(self, name)
            digest.update(name.encode())
            digest.update(value.cpu().numpy().tobytes() if isinstance(value, Tensor) else repr(value).encode())
        return digest.hexdigest()[:16]

    def to(self, device: torch.device | str) -> FaceModel:
        """The same model on another device."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if isinstance(getattr(self, f.name), Tensor)}
        return replace(self, **{name: tensor.to(device) for name, tensor in tensors.items()})

    def at_landmarks(self, values: Tensor) -> Tensor:
        """Vertex values, such as displacements, (..., V, C) where the FaceMesh landmarks lie on the surface: (..., 468, C)."""
        return embedded(values, self.landmark_corners, self.landmark_weights)

    def landmarks(self, mesh: Tensor) -> Tensor:
        """The FaceMesh landmarks of meshes (..., V, 3): (..., 468, 3) mm, with the offset."""
        return self.at_landmarks(mesh) + self.landmark_offset

    def landmarks_of(self, actor: Actor, parameters: FaceParameters) -> Tensor:
        """``landmarks`` of ``mesh``, (T, 468, 3) mm, without making the mesh, which is thirty times as large in a dense model."""
        identity = torch.tensordot(parameters.identity - actor.identity, self.at_landmarks(self.identity_basis), dims=1)
        expression = torch.tensordot(parameters.expression, self.at_landmarks(self.expression_basis), dims=1)
        landmarks: Tensor = self.landmarks(actor.neutral) + identity + expression
        return landmarks

    def mesh(self, actor: Actor, parameters: FaceParameters) -> Tensor:
        """The face of every frame in head axes, (T, V, 3) mm, before the head pose.

        ``actor.neutral`` plus what the frame's identity differs from the actor's, plus the expression.
        """
        identity = torch.tensordot(parameters.identity - actor.identity, self.identity_basis, dims=1)  # (T, V, 3)
        expression = torch.tensordot(parameters.expression, self.expression_basis, dims=1)  # (T, V, 3)
        mesh: Tensor = actor.neutral + identity + expression
        return mesh


def embedded(values: Tensor, corners: Tensor, weights: Tensor) -> Tensor:
    """Vertex values (..., V, C) at N points with barycentric weights (N, 3) between the vertices int64 (N, 3): (..., N, C)."""
    return (values[..., corners, :] * weights[..., None]).sum(-2)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit normals (T, V, 3) of meshes (T, V, 3) with triangles (F, 3): the area-weighted mean of the triangles' normals."""
    a, b, c = vertices[:, faces].unbind(2)  # each (T, F, 3)
    normals = torch.linalg.cross(b - a, c - a, dim=-1)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(1, faces[:, corner], normals)
    return torch.nn.functional.normalize(total, dim=-1)
