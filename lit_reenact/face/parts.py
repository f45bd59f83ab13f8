"""Parts of a face model as a file holds them, and their mesh cut to a portrait and closed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.face.embedding import Embedding
from lit_reenact.face.topology import OPENINGS, SKIN, around
from lit_reenact.face.unwrapping import border, fan

BACK, BOTTOM = -130.0, -150.0
"""Limits of z and y (head axes, mm) behind and below which no portrait shows anything, not even at 40 degrees of yaw."""

REACH = 8.0
"""Largest distance (mm) of a hole's middle from the rim of lids or lips that it belongs to; nostrils are further from both."""


@dataclass(frozen=True)
class Parts:
    """Content of a model's file, in mm; x to the subject's left, y up, z out of the face, the origin anywhere.

    Attributes:
        name: name of the model.
        vertices: (V, 3) mean face.
        faces: int64 (F, 3) triangles, counter-clockwise seen from outside.
        region: uint8 (F,) part of the face, with the values of ``FaceModel.region``.
        identity_basis: (K, V, 3) displacement for a coefficient of 1.
        identity_scale: (K,) prior standard deviation of each coefficient.
        expressions: displacements (V, 3) by name; a coefficient of 1 is a full expression.
        embedding: places of the FaceMesh landmarks; None if the file holds none.
    """

    name: str
    vertices: Tensor
    faces: Tensor
    region: Tensor
    identity_basis: Tensor
    identity_scale: Tensor
    expressions: dict[str, Tensor]
    embedding: Embedding | None = None


def cut_to_portrait(parts: Parts) -> Parts:
    """Cut off the back of the head and the shoulders; the cut is a smooth edge."""
    low = parts.vertices.new_tensor([-torch.inf, BOTTOM, BACK])
    seen = (parts.vertices > low).all(1)
    return largest_piece(replace(parts, vertices=torch.maximum(parts.vertices, low)), seen[parts.faces].any(1))


def largest_piece(parts: Parts, stays: Tensor) -> Parts:
    """Keep the largest connected piece of the triangles ``stays``, bool (F,).

    Raises:
        ReenactError: a landmark lies on none of its vertices.
    """
    faces, region = parts.faces[stays], parts.region[stays]
    ends = faces[:, [0, 1, 1, 2]].view(-1, 2).T.numpy()
    links = scipy.sparse.coo_matrix((np.ones(ends.shape[1]), ends), shape=(len(parts.vertices),) * 2)
    piece = torch.from_numpy(connected_components(links, directed=False)[1])[faces[:, 0]]  # (F,)
    faces, region = faces[piece == piece.mode().values], region[piece == piece.mode().values]
    used = torch.unique(faces)
    number = torch.full((len(parts.vertices),), -1)
    number[used] = torch.arange(len(used))
    embedding = parts.embedding and replace(parts.embedding, corners=number[parts.embedding.corners])
    if embedding is not None and (embedding.corners < 0).any():
        raise ReenactError(f"{parts.name}: some landmarks of the face lie beside the largest piece of the model's mesh")
    return replace(
        parts,
        vertices=parts.vertices[used],
        faces=number[faces],
        region=region,
        identity_basis=parts.identity_basis[:, used],
        expressions={name: field[used] for name, field in parts.expressions.items()},
        embedding=embedding,
    )


def fill_holes(parts: Parts) -> Parts:
    """Close every hole by a fan around a new vertex in its middle, which moves as its rim does on average."""
    embedding = parts.embedding
    assert embedding is not None
    landmarks = embedding(parts.vertices)
    for rim in border(parts.faces)[1:]:
        filling = fan(rim, len(parts.vertices))
        region = _opening(parts.vertices[rim].mean(0), landmarks)
        parts = replace(
            parts,
            vertices=_with_mean(parts.vertices, rim),
            faces=torch.cat([parts.faces, filling]),
            region=torch.cat([parts.region, parts.region.new_full((len(filling),), region)]),
            identity_basis=_with_mean(parts.identity_basis, rim),
            expressions={name: _with_mean(field, rim) for name, field in parts.expressions.items()},
        )
    return parts


def _with_mean(values: Tensor, rim: Tensor) -> Tensor:
    """Append the mean of the values at ``rim`` to vertex values (..., V, C): (..., V + 1, C)."""
    return torch.cat([values, values[..., rim, :].mean(-2, keepdim=True)], -2)


def _opening(place: Tensor, landmarks: Tensor) -> int:
    """Return the region of a hole at ``place`` (3,): the opening it belongs to; a nostril is skin."""
    for opening in OPENINGS:
        rim = landmarks[around(opening), :2]
        if ((place[:2] > rim.amin(0) - REACH) & (place[:2] < rim.amax(0) + REACH)).all():
            return opening
    return SKIN
