"""Smooth spreading of displacements from the landmarks over a dense mesh."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.face.model import values_at

REACH = 8.0
"""Millimetres over which the skin between and beyond the landmarks follows them."""


def spread(displacement: Tensor, opened: Tensor, corners: Tensor, weights: Tensor) -> Tensor:
    """Return a smooth field (..., V, 3), mm, that moves the landmarks by ``displacement`` and fades out beyond them.

    A sum of one bump around each landmark, whose heights are solved for. Distances are measured on a face with an open
    mouth, so that the lower lip does not pull at the upper one.

    Args:
        displacement: (..., 468, 3) displacements of the landmarks, mm.
        opened: (V, 3) mean face with ``jawOpen``, mm.
        corners: int64 (468, 3) vertices between which each landmark lies.
        weights: (468, 3) barycentric weights between these vertices.
    """
    opened, weights = opened.double(), weights.double()
    distance = torch.cdist(opened, values_at(opened, corners, weights), compute_mode="donot_use_mm_for_euclid_dist")
    bumps = (1 + distance / REACH) * torch.exp(-distance / REACH)  # (V, 468): the Matern kernel of order 3/2
    field: Tensor = bumps @ torch.linalg.solve(values_at(bumps, corners, weights), displacement.double())
    return field.float()
