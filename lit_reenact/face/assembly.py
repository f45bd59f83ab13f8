"""A ``FaceModel`` from what a file holds: cut to what a portrait shows, in head axes, unwrapped, eyes and mouth filled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse
import torch
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import LOWER_LIP_RIM, UPPER_LIP_RIM
from lit_reenact.core.geometry import rigid_alignment
from lit_reenact.face.blendshapes import LARGEST
from lit_reenact.face.builtin import builtin_model, colours
from lit_reenact.face.embedding import Embedding, embed_landmarks, on_their_own_lip, with_meeting_lips
from lit_reenact.face.model import FaceModel
from lit_reenact.face.spreading import spread
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, HEAD, OPENINGS, SKIN, around, build_topology
from lit_reenact.face.unwrapping import border, fan, unwrap_head

BACK, BOTTOM = -130.0, -150.0
"""Head axes, mm: what lies behind the first, or below the second, no portrait shows: not even at 40 degrees of yaw."""

REACH = 8.0
"""How far (mm) the middle of a hole may lie beside the rim of lids or lips that it belongs to; nostrils are further from both."""

BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")
"""What tracking cannot do without, and is lent by the built-in model to one that has no such shape."""


@dataclass(frozen=True)
class Parts:
    """What a model's file says, in mm; x to the subject's left, y up, z out of the face, the origin anywhere.

    Attributes:
        name: of the model.
        vertices: (V, 3) mean face.
        faces: int64 (F, 3).
        region: uint8 (F,), see ``FaceModel``.
        identity_basis: (K, V, 3), identity_scale: (K,).
        expressions: displacements (V, 3) by name; a coefficient of 1 is a full expression.
        embedding: None if the model brings none.
    """

    name: str
    vertices: Tensor
    faces: Tensor
    region: Tensor
    identity_basis: Tensor
    identity_scale: Tensor
    expressions: dict[str, Tensor]
    embedding: Embedding | None = None


def assemble(parts: Parts, signed: tuple[str, ...] = ()) -> FaceModel:
    """The face model of these parts.

    Args:
        parts: see there.
        signed: names, beside those of the form "positive-negative", of shapes that go both ways.

    Raises:
        ReenactError: the mesh is no face that the landmarks can be laid over.
    """
    parts = _largest_piece(parts, torch.ones_like(parts.region, dtype=torch.bool))
    parts = _in_head_axes(replace(parts, embedding=_embedding(parts)))
    parts = _filled(_cut(parts))
    embedding = parts.embedding
    assert embedding is not None
    shapes = _just_closing(parts.expressions | _lent(parts, embedding), embedding)
    names = tuple(sorted(shapes))
    bounds = [[-LARGEST if "-" in name or name in signed else 0.0, LARGEST] for name in names]
    reflected = parts.vertices * parts.vertices.new_tensor([-1.0, 1.0, 1.0])
    landmarks = embedding.landmarks(parts.vertices)
    uv = unwrap_head(parts.vertices.double(), parts.faces[parts.region == SKIN]).float()
    return FaceModel(
        name=parts.name,
        vertices=parts.vertices,
        faces=parts.faces,
        region=_without_head(parts, uv),
        uv=uv,
        correspondence=colours(parts.vertices, landmarks),
        identity_basis=parts.identity_basis,
        identity_scale=parts.identity_scale,
        expression_basis=torch.stack([shapes[name] for name in names]),
        expression_names=names,
        expression_bounds=torch.tensor(bounds),
        landmark_corners=embedding.corners,
        landmark_weights=embedding.weights,
        landmark_offset=embedding.offset,
        mirror_vertices=torch.from_numpy(KDTree(parts.vertices.numpy()).query(reflected.numpy())[1]),
        eyeballs=_eyeballs(landmarks),
    )


def _embedding(parts: Parts) -> Embedding:
    """The embedding that the model brings, or one made for it, with every landmark of the lips on its own lip."""
    skin = parts.faces[parts.region == SKIN]
    brought = parts.embedding or embed_landmarks(parts.vertices, skin)
    return with_meeting_lips(on_their_own_lip(brought, parts.vertices, parts.expressions["jawOpen"], skin))


def _eyeballs(landmarks: Tensor) -> Tensor:
    """Centres (2, 3) as far behind the lids as in the built-in model: one meaning of gaze for all models, whatever they draw."""
    rims = torch.tensor([around(EYE_LEFT), around(EYE_RIGHT)])
    builtin = builtin_model()
    return builtin.eyeballs + (landmarks[rims] - builtin.vertices[rims]).mean(1)


def _in_head_axes(parts: Parts) -> Parts:
    """Turned and moved so that the face looks along z and the origin lies between the eyeballs."""
    embedding = parts.embedding
    assert embedding is not None
    landmarks = embedding.landmarks(parts.vertices)
    rotation, _, _ = rigid_alignment(landmarks, builtin_model().landmarks(builtin_model().vertices))
    origin = _eyeballs(landmarks @ rotation).mean(0)
    return replace(
        parts,
        vertices=parts.vertices @ rotation - origin,
        identity_basis=parts.identity_basis @ rotation,
        expressions={name: field @ rotation for name, field in parts.expressions.items()},
        embedding=replace(embedding, offset=embedding.offset @ rotation),
    )


def _cut(parts: Parts) -> Parts:
    """The face without the back of the head and the shoulders; what is cut ends in a smooth edge."""
    low = parts.vertices.new_tensor([-torch.inf, BOTTOM, BACK])
    seen = (parts.vertices > low).all(1)
    return _largest_piece(replace(parts, vertices=torch.maximum(parts.vertices, low)), seen[parts.faces].any(1))


def _without_head(parts: Parts, uv: Tensor) -> Tensor:
    """The regions (F,) with ``HEAD`` for the skin that lies outside FaceMesh's outline in the unwrapping (V, 2)."""
    embedding = parts.embedding
    assert embedding is not None
    (outline,) = border(build_topology()[0])
    start = embedding(uv)[outline]  # (36, 2)
    end = start.roll(-1, 0)
    centres = uv[parts.faces].mean(1)[:, None]  # (F, 1, 2)
    crosses = (start[:, 1] > centres[..., 1]) != (end[:, 1] > centres[..., 1])  # the outline's sides at a centre's height
    along = (centres[..., 1] - start[:, 1]) / (end - start)[:, 1]
    to_the_right = start[:, 0] + along * (end - start)[:, 0] > centres[..., 0]
    outside = (crosses & to_the_right).sum(1) % 2 == 0
    return torch.where((parts.region == SKIN) & outside, HEAD, parts.region)


def _largest_piece(parts: Parts, stays: Tensor) -> Parts:
    """The largest connected piece of the triangles that stay, bool (F,), and nothing else."""
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


def _filled(parts: Parts) -> Parts:
    """Every hole closed by a fan around a new vertex in its middle, which moves as its rim does on average."""
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
    """Vertex values (..., V, C) and the mean of those at ``rim``: (..., V + 1, C)."""
    return torch.cat([values, values[..., rim, :].mean(-2, keepdim=True)], -2)


def _just_closing(shapes: dict[str, Tensor], embedding: Embedding) -> dict[str, Tensor]:
    """``mouthClose`` scaled so that it just closes the lips that ``jawOpen`` opens: more would press one through the other."""
    if "mouthClose" not in shapes:
        return shapes
    upper, lower = list(UPPER_LIP_RIM[1:-1]), list(LOWER_LIP_RIM[1:-1])
    opened, closed = (embedding(shapes[name])[upper] - embedding(shapes[name])[lower] for name in ("jawOpen", "mouthClose"))
    return shapes | {"mouthClose": shapes["mouthClose"] * -(opened * closed).sum() / closed.square().sum()}


def _opening(place: Tensor, landmarks: Tensor) -> int:
    """Which opening a hole at ``place`` (3,) belongs to; a nostril is skin."""
    for opening in OPENINGS:
        rim = landmarks[around(opening), :2]
        if ((place[:2] > rim.amin(0) - REACH) & (place[:2] < rim.amax(0) + REACH)).all():
            return opening
    return SKIN


def _lent(parts: Parts, embedding: Embedding) -> dict[str, Tensor]:
    """The built-in model's blinks, if the model has none."""
    missing = [name for name in BLINKS if name not in parts.expressions]
    builtin = builtin_model()
    moves = builtin.at_landmarks(builtin.expression_basis[[builtin.expression_names.index(name) for name in missing]])
    opened = parts.vertices + parts.expressions["jawOpen"]
    return dict(zip(missing, spread(moves, opened, embedding.corners, embedding.weights), strict=True)) if missing else {}
