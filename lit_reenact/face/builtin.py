"""The built-in face model, made by code from one small table when it is first asked for."""

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

EYEBALLS = ((31.2, 0.0, 0.0), (-31.2, 0.0, 0.0))
"""Centres of the left and the right eyeball, mm: with a radius of 12 they lie just behind the lids of the mean face."""

FACE_SHARE = 0.84
"""Part of the texture's side that the face takes; the head around it, whose reflectance is smooth, needs little."""

FACE_COLOURS = (0.1, 0.9)
"""Part of each colour's range that the face takes in the correspondence image."""


@cache
def builtin_model() -> FaceModel:
    """The face model whose first 468 vertices are the FaceMesh points; the same object at every call.

    After them come those of the head beyond the face, then those of the inside of the mouth.
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
        vertices=_settled(vertices),
        faces=torch.cat([faces, head.faces]),
        region=torch.cat([region, region.new_full((len(head.faces),), HEAD)]),
        uv=_settled(_unwrapped(mean, faces, head, mouth)),
        correspondence=_settled(colours(vertices, mean)),
        identity_basis=_settled(
            torch.cat([identity_basis, head.following @ identity_basis, _with_lips(identity_basis, mouth)], 1)
        ),
        identity_scale=_settled(identity_scale),
        expression_basis=_settled(torch.cat([expression_basis, head.fading @ expression_basis, _with_jaw(names, mouth)], 1)),
        expression_names=names,
        expression_bounds=_settled(bounds),
        landmark_corners=torch.arange(FACE_POINTS)[:, None].repeat(1, 3),
        landmark_weights=torch.tensor([1.0, 0.0, 0.0]).repeat(FACE_POINTS, 1),
        landmark_offset=torch.zeros(FACE_POINTS, 3),
        mirror_vertices=torch.cat([mirror_indices(), head.mirror, first_inner + mouth.mirror]),
        eyeballs=_settled(eyeballs),
        inner_faces=first_inner + mouth.faces,
        inner_albedo=mouth.albedo,
    )


def _read_table(path: Path) -> Tensor:
    """The rows of comma-separated numbers below the comment of a table, float64."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return torch.tensor([[float(x) for x in line.split(",")] for line in lines if not line.startswith("#")], dtype=torch.float64)


def _unwrapped(mean: Tensor, faces: Tensor, head: Head, mouth: Mouth) -> Tensor:
    """Texture coordinates (V, 2): the outline goes where it is seen from the front, and the head's rings around it.

    The inside of the mouth, which has no reflectance of a person's own, lies in the middle.
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


def _with_lips(basis: Tensor, mouth: Mouth) -> Tensor:
    """Identity displacements (K, V, 3) for the inside of the mouth (K, N, 3): it moves as the rim of the lips on average."""
    rim = basis[:, [*UPPER_LIP_RIM, *LOWER_LIP_RIM[1:-1]]].mean(1, keepdim=True)
    return rim.expand(-1, len(mouth.vertices), -1)


def _with_jaw(names: tuple[str, ...], mouth: Mouth) -> Tensor:
    """Displacements (K, N, 3) of the inside of the mouth by the expressions: nothing but the jawbone moves it."""
    moves = jaw_moves(mouth.vertices)
    still = torch.zeros_like(mouth.vertices)
    return torch.stack([mouth.jaw[:, None] * moves.get(name, still) for name in names])


def colours(vertices: Tensor, face: Tensor) -> Tensor:
    """A place in the head as a colour: (V, 3) in [0, 1].

    The bounding box of the face's points (N, 3) takes ``FACE_COLOURS`` of each axis; what lies beyond has the rest, in steps
    that shrink outward.
    """
    start, stop = FACE_COLOURS
    low, high = face.amin(0), face.amax(0)
    place = (vertices - low) / (high - low)  # 0 to 1 in the face
    return start + (stop - start) * place.clamp(0, 1) + (1 - stop) * _beyond(place - 1) - start * _beyond(-place)


def _beyond(distance: Tensor) -> Tensor:
    """Distances (V, 3) beyond the face to [0, 1]: as steep as in the face where it ends, and flatter towards the farthest."""
    start, stop = FACE_COLOURS
    distance = distance.clamp_min(0)
    farthest = distance.amax(0).clamp_min(1e-6)
    bend = ((stop - start) / (1 - stop) * farthest - 1).clamp_min(0)
    return (1 + bend) * distance / (farthest + bend * distance)


def _settled(values: Tensor) -> Tensor:
    """float32, rounded far above the differences between machines' linear algebra: the model's hash is the same on all."""
    return (values.double().round(decimals=4) + 0.0).float()
