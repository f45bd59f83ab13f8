"""Recombination of two actors' parameters: ``FaceParameters`` in, ``FaceParameters`` out, nothing else.

The network never learns which of these functions ran; it sees only the images rendered from their result.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lit_reenact.errors import ReenactError
from lit_reenact.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from lit_reenact.schema import FaceParameters, Track

UNSURE_TURN = math.radians(1)
"""Turns of this size tell half of what they seem to about the neck; the rest may be the tracker's error."""

REACH = 0.25
"""How far beyond what the target showed its head may move, as a part of the extent that it showed."""


def mean_rotation(rotation: Tensor) -> Tensor:
    """The chordal mean of axis-angle rotations (T, 3): the rotation matrix (3, 3) nearest to the mean of all matrices."""
    u, _, vh = torch.linalg.svd(axis_angle_to_matrix(rotation.double()).mean(0))
    proper = torch.stack([*u.new_ones(2), torch.det(u @ vh)])  # the nearest orthogonal matrix may be a reflection
    mean: Tensor = (u * proper) @ vh
    return mean


def transfer_rotation(source: Tensor, target: Tensor) -> Tensor:
    """The source's turns about its own mean pose, performed about the target's: ``R = R_s mean(R_s)^-1 mean(R_t)``.

    Args:
        source: (T, 3) axis-angle that drives.
        target: (T', 3) axis-angle of the target's training frames.

    Returns:
        (T, 3) axis-angle.
    """
    relative = axis_angle_to_matrix(source.double()) @ mean_rotation(source).T
    return matrix_to_axis_angle(relative @ mean_rotation(target)).to(source.dtype)


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
    turns = matrix_to_axis_angle(axis_angle_to_matrix(rotation.double()) @ mean_rotation(rotation).T)
    return turns - turns.mean(0)


def reenact(source: Track, target: Track) -> FaceParameters:
    """Full head reenactment (the paper, section 4.2): the target's identity and light, the source's everything else.

    Pose is relative to the mean of each actor, so that another camera position or sitting posture does not carry over, and the
    head turns on the target's own neck; expression is absolute; gaze is absolute, for each track's gaze is calibrated to its
    own actor.

    Args:
        source: track of the actor who drives.
        target: track of the actor who is driven; only its training frames are looked at.

    Returns:
        As many frames as the source has.

    Raises:
        ReenactError: the two tracks were made with different face models.
    """
    if source.info.face_model_hash != target.info.face_model_hash:
        raise ReenactError(
            f"{source.info.source} was tracked with the face model {source.info.face_model} ({source.info.face_model_hash}) and "
            f"{target.info.source} with {target.info.face_model} ({target.info.face_model_hash}): track both with the same one"
        )
    seen = target.parameters[: target.info.actor_frames][target.valid[: target.info.actor_frames]]
    driving = source.parameters
    frames = len(driving)
    return FaceParameters(
        rotation=transfer_rotation(driving.rotation, seen.rotation),
        translation=transfer_translation(driving, seen),
        identity=target.actor.identity.expand(frames, -1),
        expression=driving.expression,
        illumination=seen.illumination.mean(0).expand(frames, -1),
        gaze=driving.gaze,
    )
