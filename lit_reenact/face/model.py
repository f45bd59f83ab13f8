"""The linear face model: a mean mesh with an identity basis and an expression basis."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from lit_reenact.core.schema import Actor, FaceParameters


@dataclass(frozen=True, eq=False)
class FaceModel:
    """A face model of V vertices and F triangles. Lengths are in mm, in the head axes of ``schema``; floats are float32.

    Attributes:
        name: name in the track file and on the command line: "builtin", or a path.
        vertices: (V, 3) mean face, neutral: mouth closed, eyes open.
        faces: int64 (F, 3) triangles, counter-clockwise seen from outside.
        region: uint8 (F,) part of the face: ``topology.SKIN``, ``HEAD``, or one of ``EYE_LEFT``, ``EYE_RIGHT`` and ``MOUTH``,
            which fill holes of the skin.
        uv: (V, 2) in [0, 1], an unwrapping without overlaps; v grows downward, like the rows of a texture.
        correspondence: (V, 3) in [0, 1], a smooth colour that no two vertices share.
        identity_basis: (K_identity, V, 3) displacement for a coefficient of 1.
        identity_scale: (K_identity,) prior standard deviation of each coefficient.
        expression_basis: (K_expression, V, 3) displacement for a coefficient of 1.
        expression_names: K_expression names, by ARKit where the model has such shapes, otherwise "component00" and so on;
            a signed shape is called "positive-negative".
        expression_bounds: (K_expression, 2) smallest and largest sensible coefficient.
        landmark_corners: int64 (468, 3) the vertices between which each FaceMesh landmark lies.
        landmark_weights: (468, 3) barycentric weights of each landmark between these vertices, sum 1.
        landmark_offset: (468, 3) displacement of each landmark from its place on the surface, the same on every face.
        mirror_vertices: int64 (V,) number of the vertex on the other side of the face.
        eyeballs: (2, 3) centres of the left and the right eyeball of the mean face.
        eye_radius: radius of an eyeball.
        iris_radius: radius of an iris.
        inner_faces: int64 (G, 3) triangles behind the lips, seen through ``MOUTH`` alone; they are not among ``faces``.
        inner_albedo: (G, 3) reflectance of the inner triangles in [0, 1]; it is no part of a person's reflectance.

    Example:
        >>> model = load_face_model("builtin")
        >>> smile = model.expression_basis[model.expression_names.index("mouthSmileLeft")]  # (V, 3) mm
        >>> model.landmarks(model.vertices + smile).shape
        torch.Size([468, 3])
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
        """First 16 hexadecimal digits of the SHA-256 of all fields but the name; the device does not matter."""
        digest = hashlib.sha256()
        for name in (f.name for f in fields(self) if f.name != "name"):
            value = getattr(self, name)
            digest.update(name.encode())
            digest.update(value.cpu().numpy().tobytes() if isinstance(value, Tensor) else repr(value).encode())
        return digest.hexdigest()[:16]

    def to(self, device: torch.device | str) -> FaceModel:
        """Return the model on a device."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if isinstance(getattr(self, f.name), Tensor)}
        return replace(self, **{name: tensor.to(device) for name, tensor in tensors.items()})

    def at_landmarks(self, values: Tensor) -> Tensor:
        """Interpolate vertex values (..., V, C), such as displacements, at the FaceMesh landmarks' places: (..., 468, C)."""
        return values_at(values, self.landmark_corners, self.landmark_weights)

    def landmarks(self, mesh: Tensor) -> Tensor:
        """Return the FaceMesh landmarks of meshes (..., V, 3), with their offset: (..., 468, 3) mm."""
        return self.at_landmarks(mesh) + self.landmark_offset

    def landmarks_of(self, actor: Actor, parameters: FaceParameters) -> Tensor:
        """Return the ``landmarks`` of ``mesh``, (T, 468, 3) mm, without building the mesh, which is large in a dense model."""
        identity = torch.tensordot(parameters.identity - actor.identity, self.at_landmarks(self.identity_basis), dims=1)
        expression = torch.tensordot(parameters.expression, self.at_landmarks(self.expression_basis), dims=1)
        landmarks: Tensor = self.landmarks(actor.neutral) + identity + expression
        return landmarks

    def mesh(self, actor: Actor, parameters: FaceParameters) -> Tensor:
        """Return the face of every frame in head axes, without the head pose: (T, V, 3) mm.

        It is ``actor.neutral``, plus the difference of the frame's identity from the actor's, plus the expression.
        """
        identity = torch.tensordot(parameters.identity - actor.identity, self.identity_basis, dims=1)  # (T, V, 3)
        expression = torch.tensordot(parameters.expression, self.expression_basis, dims=1)  # (T, V, 3)
        mesh: Tensor = actor.neutral + identity + expression
        return mesh


def values_at(values: Tensor, corners: Tensor, weights: Tensor) -> Tensor:
    """Interpolate vertex values (..., V, C) at N points: (..., N, C).

    Args:
        values: (..., V, C) values of the vertices.
        corners: int64 (N, 3) vertices between which each point lies.
        weights: (N, 3) barycentric weights of the point between them.
    """
    return (values[..., corners, :] * weights[..., None]).sum(-2)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Return unit normals (T, V, 3) of meshes (T, V, 3) with triangles (F, 3): area-weighted means of the triangles' normals."""
    a, b, c = vertices[:, faces].unbind(2)  # each (T, F, 3)
    normals = torch.linalg.cross(b - a, c - a, dim=-1)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(1, faces[:, corner], normals)
    return torch.nn.functional.normalize(total, dim=-1)
