"""The built-in face model, generated from one small table at its first use."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.facemesh import FACE_POINTS, LOWER_LIP_RIM, UPPER_LIP_RIM, mirror_indices
from lit_reenact.face.blendshapes import expression_blendshapes, jaw_moves
from lit_reenact.face.harmonics import identity_harmonics
from lit_reenact.face.head import Head, build_head
from lit_reenact.face.model import FaceModel
from lit_reenact.face.mouth import Mouth, build_mouth
from lit_reenact.face.topology import HEAD, SKIN, build_topology
from lit_reenact.face.unwrapping import in_square, superellipse, unwrap

MEAN_TABLE = Path(__file__).with_name("generic_mean.csv")
"""Vertices of the mean face, mm in head axes."""

EYEBALLS = ((31.2, 0.0, 0.0), (-31.2, 0.0, 0.0))
"""Centres of the left and the right eyeball, mm: with a radius of 12 they lie just behind the lids of the mean face."""

FACE_SHARE = 0.84
"""Share of the texture's side that the face takes; the head around it, whose reflectance is smooth, needs little."""

FACE_COLOURS = (0.1, 0.9)
"""Range of each colour that the face takes in the correspondence image."""


@cache
def builtin_model() -> FaceModel:
    """Return the face model whose first 468 vertices are the FaceMesh points; every call returns the same object.

    The vertices of the head beyond the face come next, then those of the inside of the mouth.
    """
    mean = _read_table(MEAN_TABLE)
    faces, region = build_topology()
    head, mouth = build_head(mean, faces), build_mouth()
    vertices = torch.cat([mean, head.vertices, mouth.vertices])
    first_inner = len(vertices) - len(mouth.vertices)
    eyeballs = torch.tensor(EYEBALLS, dtype=torch.float64)
    identity_basis, identity_scale = identity_harmonics(faces, FACE_POINTS)
    expression_basis, names, bounds = expression_blendshapes(mean, faces[region == SKIN], eyeballs)
    return FaceModel(
        name="builtin",
        vertices=_round(vertices),
        faces=torch.cat([faces, head.faces]),
        region=torch.cat([region, region.new_full((len(head.faces),), HEAD)]),
        uv=_round(_texture_coordinates(mean, faces, head, mouth)),
        correspondence=_round(colours(vertices, mean)),
        identity_basis=_round(
            torch.cat([identity_basis, head.following @ identity_basis, _mouth_identities(identity_basis, mouth)], 1)
        ),
        identity_scale=_round(identity_scale),
        expression_basis=_round(
            torch.cat([expression_basis, head.fading @ expression_basis, _mouth_expressions(names, mouth)], 1)
        ),
        expression_names=names,
        expression_bounds=_round(bounds),
        landmark_corners=torch.arange(FACE_POINTS)[:, None].repeat(1, 3),
        landmark_weights=torch.tensor([1.0, 0.0, 0.0]).repeat(FACE_POINTS, 1),
        landmark_offset=torch.zeros(FACE_POINTS, 3),
        mirror_vertices=torch.cat([mirror_indices(), head.mirror, first_inner + mouth.mirror]),
        eyeballs=_round(eyeballs),
        inner_faces=first_inner + mouth.faces,
        inner_albedo=mouth.albedo,
    )


def _read_table(path: Path) -> Tensor:
    """Read the rows of comma-separated numbers below the comment of a table, float64."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return torch.tensor([[float(x) for x in line.split(",")] for line in lines if not line.startswith("#")], dtype=torch.float64)


def _texture_coordinates(mean: Tensor, faces: Tensor, head: Head, mouth: Mouth) -> Tensor:
    """Return texture coordinates (V, 2): the outline as seen from the front, with the head's rings around it.

    The inside of the mouth, whose reflectance is no person's own, lies in the middle.
    """
    seen = mean[head.outline, :2]
    low, high = seen.amin(0), seen.amax(0)
    flat = unwrap(mean, faces, head.outline, superellipse((seen - (low + high) / 2) / ((high - low) / 2)))
    mirror_image = flat[mirror_indices()] * flat.new_tensor([-1.0, 1.0])
    face = FACE_SHARE * (flat + mirror_image) / 2
    rings = len(head.vertices) // len(head.outline)
    outward = torch.linspace(1, 1 / FACE_SHARE, rings + 1, dtype=flat.dtype)[1:, None, None]
    around = (outward * face[head.outline]).flatten(0, 1)
    return in_square(torch.cat([face, around, flat.new_zeros(len(mouth.vertices), 2)]))


def _mouth_identities(basis: Tensor, mouth: Mouth) -> Tensor:
    """Return the mouth's displacements (K, N, 3) by the identities (K, V, 3): the mean of those of the lips' rim."""
    rim = basis[:, [*UPPER_LIP_RIM, *LOWER_LIP_RIM[1:-1]]].mean(1, keepdim=True)
    return rim.expand(-1, len(mouth.vertices), -1)


def _mouth_expressions(names: tuple[str, ...], mouth: Mouth) -> Tensor:
    """Return the mouth's displacements (K, N, 3) by the expressions: only the jawbone moves it."""
    moves = jaw_moves(mouth.vertices)
    still = torch.zeros_like(mouth.vertices)
    return torch.stack([mouth.jaw[:, None] * moves.get(name, still) for name in names])


def colours(vertices: Tensor, face: Tensor) -> Tensor:
    """Return places in the head as colours: (V, 3) in [0, 1].

    The bounding box of the face's points (N, 3) takes ``FACE_COLOURS`` of each axis; vertices beyond it share the rest, in
    steps that shrink outward.
    """
    start, stop = FACE_COLOURS
    low, high = face.amin(0), face.amax(0)
    place = (vertices - low) / (high - low)  # 0 to 1 in the face
    return start + (stop - start) * place.clamp(0, 1) + (1 - stop) * _beyond(place - 1) - start * _beyond(-place)


def _beyond(distance: Tensor) -> Tensor:
    """Map distances (V, 3) beyond the face to [0, 1]: as steep as in the face at its edge, and flatter towards the farthest."""
    start, stop = FACE_COLOURS
    distance = distance.clamp_min(0)
    farthest = distance.amax(0).clamp_min(1e-6)
    bend = ((stop - start) / (1 - stop) * farthest - 1).clamp_min(0)
    return (1 + bend) * distance / (farthest + bend * distance)


def _round(values: Tensor) -> Tensor:
    """Round to float32 far above the differences between machines' linear algebra, so that all compute the same model hash."""
    return (values.double().round(decimals=4) + 0.0).float()
