"""Recombination of two actors' parameters: ``FaceParameters`` in, ``FaceParameters`` out, nothing else.

The network never learns which of these functions ran; it sees only the images rendered from their result.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.errors import ReenactError
from lit_reenact.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from lit_reenact.schema import FaceParameters, Track


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


def transfer_translation(source: Tensor, target: Tensor) -> Tensor:
    """The source's moves about its own mean place, performed about the target's: (T, 3), (T', 3) to (T, 3), mm.

    Sideways moves carry over in mm, for every actor's head has its real size. Depth carries over as a ratio, for its absolute
    value hangs on a focal length that the video does not tell: coming nearer makes both faces larger by the same factor.
    """
    moved = target.mean(0) + source - source.mean(0)
    depth = target[:, 2].mean() * source[:, 2] / source[:, 2].mean()
    return torch.stack([moved[:, 0], moved[:, 1], depth], -1)


def reenact(source: Track, target: Track) -> FaceParameters:
    """Full head reenactment (the paper, section 4.2): the target's identity and light, the source's everything else.

    Pose is relative to the mean of each actor, so that another camera position or sitting posture does not carry over;
    expression is absolute; gaze is absolute, for each track's gaze is calibrated to its own actor.

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
        translation=transfer_translation(driving.translation, seen.translation),
        identity=target.actor.identity.expand(frames, -1),
        expression=driving.expression,
        illumination=seen.illumination.mean(0).expand(frames, -1),
        gaze=driving.gaze,
    )
