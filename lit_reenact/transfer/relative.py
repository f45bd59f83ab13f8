"""Transfer of head pose and position relative to each actor's means."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from lit_reenact.core.schema import FaceParameters

UNSURE_TURN = math.radians(1)
"""Size of turns, radians, of which half is assumed to be tracking error when a neck is estimated."""

REACH = 0.25
"""Largest motion beyond the target's own range, as a share of that range."""


def mean_rotation(rotation: Tensor) -> Tensor:
    """Return the chordal mean (3, 3) of axis-angle rotations (T, 3): the rotation nearest to the mean of all matrices."""
    return nearest_rotation(axis_angle_to_matrix(rotation.double()).mean(0))


def nearest_rotation(matrix: Tensor) -> Tensor:
    """Return the rotation matrices nearest to matrices (..., 3, 3)."""
    u, _, vh = torch.linalg.svd(matrix)
    proper = torch.ones_like(matrix[..., 0])
    proper[..., 2] = torch.det(u @ vh)  # the nearest orthogonal matrix may be a reflection
    nearest: Tensor = (u * proper[..., None, :]) @ vh
    return nearest


def transfer_rotation(source: Tensor, target: Tensor) -> Tensor:
    """Apply the source's turns about its own mean pose to the target's mean pose: ``R = R_s mean(R_s)^-1 mean(R_t)``.

    Args:
        source: (T, 3) axis-angle of the source.
        target: (T', 3) axis-angle of the target's training frames.

    Returns:
        (T, 3) axis-angle.
    """
    return carry(source, mean_rotation(source), mean_rotation(target))


def carry(rotation: Tensor, start: Tensor, onto: Tensor) -> Tensor:
    """Apply the turns from one pose to another pose, ``R start^-1 onto``.

    Args:
        rotation: (T, 3) axis-angle.
        start: float64 (3, 3) pose from which the turns are measured.
        onto: float64 (3, 3) pose to which they are applied.

    Returns:
        (T, 3) axis-angle.
    """
    relative = axis_angle_to_matrix(rotation.double()) @ start.T
    return matrix_to_axis_angle(relative @ onto).to(rotation.dtype)


def turns_from(rotation: Tensor, start: Tensor) -> Tensor:
    """Return the turns, axis-angle float64 (T, 3), from the pose ``start`` (3, 3) to rotations (T, 3)."""
    return matrix_to_axis_angle(axis_angle_to_matrix(rotation.double()) @ start.T)


def transfer_translation(source: FaceParameters, target: FaceParameters) -> Tensor:
    """Transfer head positions: the part that follows from turning uses the target's neck, the rest is the source's.

    ``t = mean(t_t) + N_t r_s + limit(d_s - N_s r_s)``, with the turns ``r`` and moves ``d`` about each actor's means and the
    neck ``N`` of each (``neck``). A network that always saw a head move as it turned confuses the two, and one that never saw a
    head aside turns it instead. The rest therefore stays near the target's own range (``limit_softly``).

    Sideways moves carry over in mm, because every actor's head has its real size. Depth carries over as a ratio, because its
    absolute value depends on a focal length that the video does not show: coming nearer enlarges both faces by the same factor.
    Depth is too inaccurate to estimate a neck from.

    Args:
        source: T frames of the source.
        target: training frames of the target.

    Returns:
        (T, 3), mm.
    """
    place, place_of_source = target.translation.mean(0).double(), source.translation.mean(0).double()
    same_size = torch.stack([*place.new_ones(2), place[2] / place_of_source[2]])
    moves, moves_of_target = (source.translation - place_of_source) * same_size, target.translation - place
    turns, turns_of_target = _turns(source.rotation), _turns(target.rotation)
    own_neck = neck(turns_of_target, moves_of_target)
    seen = moves_of_target - turns_of_target @ own_neck
    rest = limit_softly(moves - turns @ neck(turns, moves), seen.amin(0), seen.amax(0))
    return (place + turns @ own_neck + rest).to(source.translation.dtype)


def neck(turns: Tensor, moves: Tensor) -> Tensor:
    """Estimate the motion of a head across the picture as it turns, by ridge regression: ``moves = turns @ neck``.

    Args:
        turns: (T, 3) axis-angle from the mean pose.
        moves: (T, 3) moves from the mean position, mm.

    Returns:
        (3, 3), mm per radian; smaller the less the head turned, and 0 if it did not turn. The last column, for depth, is 0.
    """
    unsure = len(turns) * UNSURE_TURN**2 * torch.eye(3, dtype=turns.dtype)
    across = moves * moves.new_tensor([1, 1, 0])
    solved: Tensor = torch.linalg.solve(turns.T @ turns + unsure, turns.T @ across)
    return solved


def limit_softly(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Limit values softly: unchanged within the bounds, and beyond them at most ``REACH`` of the distance between the bounds.

    Args:
        values: (T, C).
        low: (C,) lower bounds.
        high: (C,) upper bounds, at least ``low``.

    Returns:
        (T, C).
    """
    reach = (REACH * (high - low)).clamp_min(torch.finfo(values.dtype).tiny)
    inside = values.clamp(low, high)
    return inside + reach * ((values - inside) / reach).tanh()


def _turns(rotation: Tensor) -> Tensor:
    """Return the turns, axis-angle (T, 3), about the mean pose, with mean 0."""
    turns = turns_from(rotation, mean_rotation(rotation))
    return turns - turns.mean(0)
