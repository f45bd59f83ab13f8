"""Motion relative to each actor's means: the pose and place of one head carried over to another."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from lit_reenact.core.schema import FaceParameters

UNSURE_TURN = math.radians(1)
"""Turns of this size tell half of what they seem to about the neck; the rest may be the tracker's error."""

REACH = 0.25
"""How far beyond what the target showed its head may move, as a part of the extent that it showed."""


def mean_rotation(rotation: Tensor) -> Tensor:
    """The chordal mean of axis-angle rotations (T, 3): the rotation matrix (3, 3) nearest to the mean of all matrices."""
    return nearest_rotation(axis_angle_to_matrix(rotation.double()).mean(0))


def nearest_rotation(matrix: Tensor) -> Tensor:
    """The rotation matrices (..., 3, 3) nearest to matrices of the same shape."""
    u, _, vh = torch.linalg.svd(matrix)
    proper = torch.ones_like(matrix[..., 0])
    proper[..., 2] = torch.det(u @ vh)  # the nearest orthogonal matrix may be a reflection
    nearest: Tensor = (u * proper[..., None, :]) @ vh
    return nearest


def transfer_rotation(source: Tensor, target: Tensor) -> Tensor:
    """The source's turns about its own mean pose, performed about the target's: ``R = R_s mean(R_s)^-1 mean(R_t)``.

    Args:
        source: (T, 3) axis-angle that drives.
        target: (T', 3) axis-angle of the target's training frames.

    Returns:
        (T, 3) axis-angle.
    """
    return carry(source, mean_rotation(source), mean_rotation(target))


def carry(rotation: Tensor, start: Tensor, onto: Tensor) -> Tensor:
    """The turns from one pose performed from another, ``R start^-1 onto``.

    Args:
        rotation: (T, 3) axis-angle.
        start: (3, 3) in double precision.
        onto: (3, 3) in double precision.

    Returns:
        (T, 3) axis-angle.
    """
    relative = axis_angle_to_matrix(rotation.double()) @ start.T
    return matrix_to_axis_angle(relative @ onto).to(rotation.dtype)


def turns_from(rotation: Tensor, start: Tensor) -> Tensor:
    """Axis-angle (T, 3), in double precision, of the turns that lead from the pose ``start`` (3, 3) to rotations (T, 3)."""
    return matrix_to_axis_angle(axis_angle_to_matrix(rotation.double()) @ start.T)


def transfer_translation(source: FaceParameters, target: FaceParameters) -> Tensor:
    """The source's moves on the target's neck: what a head's place owes to its turns is the target's, the rest the source's.

    ``t = mean(t_t) + N_t r_s + limit(d_s - N_s r_s)``, with the turns ``r`` and moves ``d`` about each actor's means and the
    neck ``N`` of each (``neck``). A network that has always seen a head move as it turns takes one for the other; and one that
    has never seen the head aside turns it there. So the rest stays near what the target showed (``limit_softly``).

    Sideways moves carry over in mm, for every actor's head has its real size. Depth carries over as a ratio, for its absolute
    value hangs on a focal length that the video does not tell: coming nearer makes both faces larger by the same factor. It is
    too vague to tell of a neck.

    Args:
        source: T frames that drive.
        target: its training frames.

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
    """How a head moves across the picture as it turns, by ridge regression: ``moves = turns @ neck``.

    Args:
        turns: (T, 3) axis-angle about the mean pose.
        moves: (T, 3) about the mean place, mm.

    Returns:
        (3, 3), mm per radian; smaller the less the head turned, and zero if it did not. Its last column, of depth, is zero.
    """
    unsure = len(turns) * UNSURE_TURN**2 * torch.eye(3, dtype=turns.dtype)
    across = moves * moves.new_tensor([1, 1, 0])
    solved: Tensor = torch.linalg.solve(turns.T @ turns + unsure, turns.T @ across)
    return solved


def limit_softly(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Unchanged between the bounds; beyond them slower and slower, never farther than ``REACH`` of the distance of the bounds.

    Args:
        values: (T, C).
        low: (C,).
        high: (C,), nowhere less than ``low``.
    """
    reach = (REACH * (high - low)).clamp_min(torch.finfo(values.dtype).tiny)
    inside = values.clamp(low, high)
    return inside + reach * ((values - inside) / reach).tanh()


def _turns(rotation: Tensor) -> Tensor:
    """Axis-angle (T, 3) about the mean pose."""
    turns = turns_from(rotation, mean_rotation(rotation))
    return turns - turns.mean(0)
