"""The built-in face model, made by code from one small table when it is first asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.face.blendshapes import expression_blendshapes
from lit_reenact.face.harmonics import identity_harmonics
from lit_reenact.face.model import FaceModel
from lit_reenact.face.topology import SKIN, VERTEX_COUNT, build_topology, mirror_vertices
from lit_reenact.face.unwrapping import border, in_square, superellipse, unwrap

MEAN_TABLE = Path(__file__).with_name("generic_mean.csv")

EYEBALLS = ((31.2, 0.0, 0.0), (-31.2, 0.0, 0.0))
"""Centres of the left and the right eyeball, mm: with a radius of 12 they lie just behind the lids of the mean face."""


@cache
def builtin_model() -> FaceModel:
    """The face model over the 468 FaceMesh points; the same object at every call."""
    mean = _read_table(MEAN_TABLE)
    faces, region = build_topology()
    eyeballs = torch.tensor(EYEBALLS, dtype=torch.float64)
    identity_basis, identity_scale = identity_harmonics(faces, VERTEX_COUNT)
    expression_basis, names, bounds = expression_blendshapes(mean, faces[region == SKIN], eyeballs)
    return FaceModel(
        name="builtin",
        vertices=_settled(mean),
        faces=faces,
        region=region,
        uv=_settled(_unwrapped(mean, faces)),
        correspondence=_settled(colours(mean)),
        identity_basis=_settled(identity_basis),
        identity_scale=_settled(identity_scale),
        expression_basis=_settled(expression_basis),
        expression_names=names,
        expression_bounds=_settled(bounds),
        landmark_corners=torch.arange(VERTEX_COUNT)[:, None].repeat(1, 3),
        landmark_weights=torch.tensor([1.0, 0.0, 0.0]).repeat(VERTEX_COUNT, 1),
        landmark_offset=torch.zeros(VERTEX_COUNT, 3),
        mirror_vertices=mirror_vertices(),
        eyeballs=_settled(eyeballs),
    )


def _read_table(path: Path) -> Tensor:
    """The rows of comma-separated numbers below the comment of a table, float64."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return torch.tensor([[float(x) for x in line.split(",")] for line in lines if not line.startswith("#")], dtype=torch.float64)


def _unwrapped(mean: Tensor, faces: Tensor) -> Tensor:
    """Texture coordinates (V, 2); the outline goes where it is seen from the front."""
    (outline,) = border(faces)
    seen = mean[outline, :2]
    low, high = seen.amin(0), seen.amax(0)
    flat = unwrap(mean, faces, outline, superellipse((seen - (low + high) / 2) / ((high - low) / 2)))
    mirror_image = flat[mirror_vertices()] * flat.new_tensor([-1.0, 1.0])
    return in_square((flat + mirror_image) / 2)


def colours(mean: Tensor) -> Tensor:
    """The position of each vertex in the face's bounding box as a colour."""
    low, high = mean.amin(0), mean.amax(0)
    return (mean - low) / (high - low)


def _settled(values: Tensor) -> Tensor:
    """float32, rounded far above the differences between machines' linear algebra: the model's hash is the same on all."""
    return (values.double().round(decimals=4) + 0.0).float()
