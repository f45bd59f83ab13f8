"""Displacements known at the landmarks alone, spread smoothly over a dense mesh."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.face.model import embedded

REACH = 8.0
"""Millimetres over which the skin between and beyond the landmarks follows them."""


def spread(displacement: Tensor, opened: Tensor, corners: Tensor, weights: Tensor) -> Tensor:
    """A smooth field (V, 3) that moves the landmarks by ``displacement`` and fades out beyond them.

    A sum of one bump around each landmark, whose heights are solved for. Distances are those of a face with its mouth open:
    what the lower lip does must not pull at the upper one.

    Args:
        displacement: (..., 468, 3) mm.
        opened: (V, 3) the mean face with ``jawOpen``.
        corners: int64 (468, 3), weights: (468, 3), as in ``FaceModel``.

    Returns:
        (..., V, 3) float32.
    """
    opened, weights = opened.double(), weights.double()
    distance = torch.cdist(opened, embedded(opened, corners, weights), compute_mode="donot_use_mm_for_euclid_dist")
    bumps = (1 + distance / REACH) * torch.exp(-distance / REACH)  # (V, 468): the Matern kernel of order 3/2
    field: Tensor = bumps @ torch.linalg.solve(embedded(bumps, corners, weights), displacement.double())
    return field.float()
