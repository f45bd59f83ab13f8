"""Assembly of a ``FaceModel`` from a file's parts: head axes, landmarks, expressions, texture coordinates and regions."""

from __future__ import annotations

from dataclasses import replace

import torch
from scipy.spatial import KDTree
from torch import Tensor

from lit_reenact.core.facemesh import LOWER_LIP_RIM, UPPER_LIP_RIM
from lit_reenact.core.geometry import rigid_alignment
from lit_reenact.face.blendshapes import LARGEST
from lit_reenact.face.builtin import builtin_model, colours
from lit_reenact.face.embedding import Embedding, embed_landmarks, join_lips, separate_lips
from lit_reenact.face.eyelids import BLINKS
from lit_reenact.face.model import FaceModel
from lit_reenact.face.parts import Parts, cut_to_portrait, fill_holes, largest_piece
from lit_reenact.face.spreading import spread
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, HEAD, SKIN, around, build_topology
from lit_reenact.face.unwrapping import border, unwrap_head


def assemble(parts: Parts, signed: tuple[str, ...] = ()) -> FaceModel:
    """Build the face model of these parts.

    Args:
        parts: content of the model's file, with a "jawOpen" among its expressions.
        signed: names of shapes that go both ways, beside those of the form "positive-negative".

    Raises:
        ReenactError: the mesh is no face that the landmarks can be laid over.
    """
    parts = largest_piece(parts, torch.ones_like(parts.region, dtype=torch.bool))
    parts = _move_to_head_axes(replace(parts, embedding=_embedding(parts)))
    parts = fill_holes(cut_to_portrait(parts))
    embedding = parts.embedding
    assert embedding is not None
    shapes = _limit_mouth_close(parts.expressions | _missing_blinks(parts, embedding), embedding)
    names = tuple(sorted(shapes))
    bounds = [[-LARGEST if "-" in name or name in signed else 0.0, LARGEST] for name in names]
    reflected = parts.vertices * parts.vertices.new_tensor([-1.0, 1.0, 1.0])
    landmarks = embedding.landmarks(parts.vertices)
    uv = unwrap_head(parts.vertices.double(), parts.faces[parts.region == SKIN]).float()
    return FaceModel(
        name=parts.name,
        vertices=parts.vertices,
        faces=parts.faces,
        region=_mark_head(parts, uv),
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
    """Return the file's embedding, or fit one, with every landmark of the lips on its own lip."""
    skin = parts.faces[parts.region == SKIN]
    embedding = parts.embedding or embed_landmarks(parts.vertices, skin)
    return join_lips(separate_lips(embedding, parts.vertices, parts.expressions["jawOpen"], skin))


def _eyeballs(landmarks: Tensor) -> Tensor:
    """Return eyeball centres (2, 3) as far behind the lids as the built-in model's, so that gaze means the same in all models."""
    rims = torch.tensor([around(EYE_LEFT), around(EYE_RIGHT)])
    builtin = builtin_model()
    return builtin.eyeballs + (landmarks[rims] - builtin.vertices[rims]).mean(1)


def _move_to_head_axes(parts: Parts) -> Parts:
    """Turn and move the parts so that the face looks along z and the origin lies between the eyeballs."""
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


def _mark_head(parts: Parts, uv: Tensor) -> Tensor:
    """Return the regions (F,), with ``HEAD`` for the skin outside FaceMesh's outline in the unwrapping ``uv`` (V, 2)."""
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


def _limit_mouth_close(shapes: dict[str, Tensor], embedding: Embedding) -> dict[str, Tensor]:
    """Scale ``mouthClose`` so that it just closes the lips that ``jawOpen`` opens: more would press one through the other."""
    if "mouthClose" not in shapes:
        return shapes
    upper, lower = list(UPPER_LIP_RIM[1:-1]), list(LOWER_LIP_RIM[1:-1])
    opened, closed = (embedding(shapes[name])[upper] - embedding(shapes[name])[lower] for name in ("jawOpen", "mouthClose"))
    return shapes | {"mouthClose": shapes["mouthClose"] * -(opened * closed).sum() / closed.square().sum()}


def _missing_blinks(parts: Parts, embedding: Embedding) -> dict[str, Tensor]:
    """Return the built-in model's blinks, which tracking needs, for a model that lacks them."""
    missing = [name for name in BLINKS if name not in parts.expressions]
    builtin = builtin_model()
    moves = builtin.at_landmarks(builtin.expression_basis[[builtin.expression_names.index(name) for name in missing]])
    opened = parts.vertices + parts.expressions["jawOpen"]
    return dict(zip(missing, spread(moves, opened, embedding.corners, embedding.weights), strict=True)) if missing else {}
