"""Inside of the built-in face's mouth: one sheet from the upper gum over teeth, palate, throat, tongue and lower teeth to the
lower gum, bent along the arch of the teeth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

ARCH = (27.0, 34.0)
"""Half the width, and the depth (mm), of the arch of the teeth, which is half an ellipse."""

FRONT = 25.0
"""z (head axes, mm) of the middle incisors."""

TAPER = 0.2
"""Share by which the mouth is narrower at the throat than at the teeth."""

COLUMNS = 13
"""Number of vertices across the sheet."""

GUM, TOOTH, DARK, TONGUE = (0.50, 0.25, 0.25), (0.75, 0.72, 0.66), (0.14, 0.06, 0.06), (0.42, 0.20, 0.20)
"""Reflectances (RGB in [0, 1]), the same in every mouth."""

PROFILE = (
    (0.0, -44.0, 0.0, GUM),
    (0.0, -60.0, 0.0, TOOTH),
    (0.0, -72.0, 0.0, DARK),
    (3.0, -71.0, 0.0, DARK),
    (16.0, -55.0, 0.0, DARK),
    (31.0, -62.0, 0.3, DARK),
    (31.0, -82.0, 0.9, TONGUE),
    (7.0, -77.0, 1.0, DARK),
    (5.0, -71.0, 1.0, TOOTH),
    (2.5, -71.0, 1.0, TOOTH),
    (2.5, -79.0, 1.0, GUM),
    (2.5, -98.0, 1.0, GUM),
)
"""Rows of the sheet: distance of its middle behind the front teeth (mm), height y (mm), share in the motion of the jaw, and the
reflectance from there to the next row.
"""


@dataclass(frozen=True)
class Mouth:
    """Inside of a mouth, of N vertices and G triangles.

    Attributes:
        vertices: float64 (N, 3) mm in head axes.
        faces: int64 (G, 3) numbered from 0, counter-clockwise as seen through the lips.
        albedo: (G, 3) reflectance of the triangles, RGB in [0, 1].
        jaw: float64 (N,) share of each vertex in the motion of the jawbone, in [0, 1].
        mirror: int64 (N,) number of the vertex on the other side.
    """

    vertices: Tensor
    faces: Tensor
    albedo: Tensor
    jaw: Tensor
    mirror: Tensor


def build_mouth() -> Mouth:
    """Build the inside of the mouth."""
    angle = torch.linspace(-math.pi / 2, math.pi / 2, COLUMNS, dtype=torch.float64)
    width, depth = ARCH
    rows = []
    for inward, height, _, _ in PROFILE:
        across = width * (1 - TAPER * inward / depth) * angle.sin()
        ahead = FRONT - depth + (depth - inward) * angle.cos()
        rows.append(torch.stack([across, torch.full_like(angle, height), ahead], -1))
    numbers = torch.arange(len(PROFILE) * COLUMNS).view(-1, COLUMNS)
    above, below = numbers[:-1], numbers[1:]
    quads = torch.stack([above[:, :-1], below[:, :-1], below[:, 1:], above[:, 1:]], -1)  # counter-clockwise from the front
    faces = torch.cat([quads[..., [0, 1, 2]], quads[..., [0, 2, 3]]], 1)  # (rows, 2 * columns, 3)
    albedo = torch.tensor([colour for *_, colour in PROFILE[:-1]])[:, None].expand(-1, faces.shape[1], -1)
    points = torch.cat(rows)
    return Mouth(
        vertices=(points - points[numbers.flip(1).flatten()] * points.new_tensor([1.0, -1.0, -1.0])) / 2,
        faces=faces.flatten(0, 1),
        albedo=albedo.flatten(0, 1).contiguous(),
        jaw=torch.tensor([share for _, _, share, _ in PROFILE], dtype=torch.float64).repeat_interleave(COLUMNS),
        mirror=numbers.flip(1).flatten(),
    )
