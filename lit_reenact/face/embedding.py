"""Places of the FaceMesh landmarks on any face mesh, found by bending the built-in face onto it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import LOWER_LIP_RIM, UPPER_LIP_RIM
from lit_reenact.core.geometry import rigid_alignment
from lit_reenact.face.builtin import builtin_model
from lit_reenact.face.laplacian import graph_laplacian
from lit_reenact.face.model import values_at, vertex_normals
from lit_reenact.face.surface import nearest_on_mesh
from lit_reenact.face.topology import build_topology

RIGID_ROUNDS = 40
"""Rounds of the rigid alignment."""

TRIM = 0.8
"""Share of the landmarks, the nearest to the mesh, that the rigid alignment uses."""

STIFFNESS = (100.0, 30.0, 10.0, 3.0, 1.0, 1.0)
"""Weight of the bending energy against the distance to the mesh, in each round in which the built-in face bends."""

LARGEST_DISTANCE = 5.0
"""Mean distance (mm) at the end above which the mesh is no face in the expected axes."""

SIZES = (0.7, 1.4)
"""Smallest and largest size of a head, over that of the built-in one."""

NO_FACE = "the built-in face cannot be laid over the model's mesh, which must look along z, with y up, in its usual unit"


@dataclass(frozen=True)
class Embedding:
    """Places of the FaceMesh landmarks on a mesh: the three ``landmark_`` fields of ``FaceModel``.

    Attributes:
        corners: int64 (468, 3) vertices between which each landmark lies.
        weights: (468, 3) barycentric weights between these vertices, sum 1.
        offset: (468, 3) displacement of each landmark from its place on the surface, mm.
    """

    corners: Tensor
    weights: Tensor
    offset: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        """Interpolate vertex values (..., V, C) at the landmarks' places: (..., 468, C)."""
        return values_at(values, self.corners, self.weights)

    def landmarks(self, mesh: Tensor) -> Tensor:
        """Return the landmarks (468, 3) of a mesh (V, 3), with their offset."""
        return self(mesh) + self.offset


def embed_landmarks(vertices: Tensor, skin: Tensor) -> Embedding:
    """Lay the built-in face over a neutral mesh, and take the nearest points of its skin.

    First a similarity (iterated closest points from the tip of the nose), then smooth bending. Nothing but shape is compared:
    where the skin is featureless, landmarks may lie some millimetres beside their place on it.

    Args:
        vertices: (V, 3) in roughly mm; x to the subject's left, y up, z out of the face, the nose foremost.
        skin: int64 (F, 3) triangles that may carry a landmark.

    Raises:
        ReenactError: the built-in face cannot be laid over the mesh.
    """
    builtin = builtin_model()
    start, mesh = builtin.landmarks(builtin.vertices).double(), vertices.double()
    faces, _ = build_topology()
    used = mesh[torch.unique(skin)]
    placed = start + used[used[:, 2].argmax()] - start[start[:, 2].argmax()]

    def attract(face: Tensor) -> tuple[Tensor, Tensor]:
        """Return the points of the mesh nearest to a face, and their distances."""
        near = nearest_on_mesh(face, mesh, skin, vertex_normals(face[None], faces)[0])
        return (mesh[skin[near.triangle]] * near.weights[..., None]).sum(1), near.distance

    for _ in range(RIGID_ROUNDS):
        target, distance = attract(placed)
        trusted = distance <= distance.quantile(TRIM)
        rotation, scale, offset = rigid_alignment(target[trusted], start[trusted])
        placed = scale * start @ rotation.T + offset
    if not SIZES[0] < float(scale) < SIZES[1]:
        raise ReenactError(f"{NO_FACE}: it is {float(scale):.2g} times as large as a head")
    bending = graph_laplacian(faces, len(start))
    bending = bending @ bending
    rest = placed
    for stiffness in STIFFNESS:
        target, distance = attract(placed)
        weight = torch.diag((1 + (distance / LARGEST_DISTANCE) ** 2) ** -2)
        placed = rest + torch.linalg.solve(weight + stiffness * bending, weight @ (target - rest))
    near = nearest_on_mesh(placed, mesh, skin, vertex_normals(placed[None], faces)[0])
    if not near.distance.mean() < LARGEST_DISTANCE:
        raise ReenactError(f"{NO_FACE}: they stay {float(near.distance.mean()):.0f} mm apart")
    return Embedding(skin[near.triangle], near.weights.float(), torch.zeros(len(start), 3))


def separate_lips(embedding: Embedding, mean: Tensor, jaw_open: Tensor, skin: Tensor) -> Embedding:
    """Move landmarks of the inner lips that lie on the wrong lip to their own: on a closed mouth, places alone do not tell them.

    A stray goes between its neighbours on the rim of the open mouth; its offset is lost, for it was measured on the wrong lip.

    Args:
        embedding: embedding to correct.
        mean: (V, 3) neutral face.
        jaw_open: (V, 3) displacement of the full ``jawOpen``.
        skin: int64 (F, 3) triangles that may carry a landmark.
    """
    travel, opened = embedding(jaw_open).norm(dim=1), mean + jaw_open
    middle = (travel[UPPER_LIP_RIM[5]] + travel[LOWER_LIP_RIM[5]]) / 2
    corners, weights, offset = embedding.corners.clone(), embedding.weights.clone(), embedding.offset.clone()
    for rim, lower in ((torch.tensor(UPPER_LIP_RIM), False), (torch.tensor(LOWER_LIP_RIM), True)):
        stray = (travel[rim] > middle) != lower
        stray[[0, -1]] = False  # both lips share their corners
        if stray.any():
            builtin = builtin_model().vertices[rim]
            along = torch.cat([torch.zeros(1), (builtin[1:] - builtin[:-1]).norm(dim=1).cumsum(0)])
            places = embedding(opened)[rim[~stray]]
            wanted = torch.stack([_interpolate(along[stray], along[~stray], values) for values in places.T], -1)
            found = nearest_on_mesh(wanted, opened, skin)
            points = rim[stray]
            corners[points], weights[points], offset[points] = skin[found.triangle], found.weights, 0.0
    return Embedding(corners, weights, offset)


def _interpolate(at: Tensor, known: Tensor, values: Tensor) -> Tensor:
    """Interpolate ``values`` (N,) at the ascending ``known`` (N,) linearly to the points ``at`` (M,)."""
    return torch.from_numpy(np.interp(at.numpy(), known.numpy(), values.numpy())).to(values.dtype)


def join_lips(embedding: Embedding) -> Embedding:
    """Give both of two facing lip landmarks one offset, so that the mesh is closed where they meet, not open by a slit."""
    rims = [list(UPPER_LIP_RIM), list(LOWER_LIP_RIM)]
    offset = embedding.offset.clone()
    offset[rims[0]] = offset[rims[1]] = embedding.offset[rims[0]] / 2 + embedding.offset[rims[1]] / 2
    return replace(embedding, offset=offset)
