"""Rough sizes and angles of a face in FaceMesh landmarks, good enough to judge a video by; the tracker measures them exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.facemesh import (
    ABOVE_LIP,
    BONY,
    FOREHEAD_TOP,
    LEFT_MOUTH_CORNER,
    LEFT_OUTER_EYE,
    LOWER_LIP_MIDDLE,
    RIGHT_MOUTH_CORNER,
    RIGHT_OUTER_EYE,
    UPPER_LIP_MIDDLE,
)
from lit_reenact.core.geometry import rigid_alignment

DEPTH_SCALE = 0.8
"""Factor that corrects MediaPipe's z, which is about a quarter too deep."""

OTHER_PERSON = 2.5
"""Least ``skull_difference`` (%) that one person hardly reaches."""


def outer_eye_axis(points: Tensor) -> Tensor:
    """Return the vector from the right to the left outer eye corner of FaceMesh points (..., L, C): (..., C), in their unit."""
    return points[..., LEFT_OUTER_EYE, :] - points[..., RIGHT_OUTER_EYE, :]


def outer_eye_distance(points: Tensor) -> Tensor:
    """Return the distance of the outer eye corners of FaceMesh points (..., L, C), over all C coordinates: (...), in their unit.

    With the depth (C = 3) it hardly changes when the head turns: the unit of all sizes that are measured in a face.
    """
    distance: Tensor = torch.linalg.vector_norm(outer_eye_axis(points), dim=-1)
    return distance


def face_heights(points: Tensor) -> Tensor:
    """Return the height of the face, hairline to chin, in landmarks (T, 478, 3), pixels: (T,) pixels."""
    return points[..., 1].amax(1) - points[..., 1].amin(1)


def head_angles(points: Tensor) -> Tensor:
    """Return yaw, pitch and roll in landmarks (T, 478, 3) of one person: (T, 3) degrees; every person's pitch has an offset."""
    scaled = points * points.new_tensor([1, 1, DEPTH_SCALE])
    across = outer_eye_axis(scaled)  # to the subject's left, which is to the right in the picture
    up = scaled[:, FOREHEAD_TOP] - scaled[:, ABOVE_LIP]
    yaw = torch.atan2(across[:, 2], across[:, :2].norm(dim=-1))
    pitch = torch.atan2(up[:, 2], up[:, :2].norm(dim=-1))
    roll = torch.atan2(across[:, 1], across[:, 0])
    return torch.rad2deg(torch.stack([yaw, pitch, roll], -1))


def mouth_shape(points: Tensor) -> Tensor:
    """Return opening and width of the mouth over the outer-eye distance in landmarks (T, 478, 3): (T, 2)."""
    ends = ((UPPER_LIP_MIDDLE, LOWER_LIP_MIDDLE), (LEFT_MOUTH_CORNER, RIGHT_MOUTH_CORNER))
    sizes = [torch.linalg.vector_norm(points[:, one] - points[:, other], dim=-1) for one, other in ends]
    return torch.stack(sizes, -1) / outer_eye_distance(points)[:, None]


def skull_difference(first: Tensor, second: Tensor) -> float:
    """Return the mean distance of two faces at ``BONY`` points, turned and scaled alike, in % of the outer-eye distance.

    One person at different times differs by about 1.5 (up to 2.4), two people mostly by 2.5 to 6.

    Args:
        first: (T, 478, 3) landmarks of one video.
        second: (T', 478, 3) landmarks of the other.
    """
    mine, other = _median_skull(first), _median_skull(second)
    other = _align(other, mine)
    unit = (mine[BONY.index(RIGHT_OUTER_EYE)] - mine[BONY.index(LEFT_OUTER_EYE)]).norm()
    return float(100 * (mine - other).norm(dim=-1).mean() / unit)


def _median_skull(points: Tensor) -> Tensor:
    """Return the median of the bony landmarks of up to a hundred frames, turned alike: (L, 3), of unit size."""
    some = points[torch.linspace(0, len(points) - 1, min(100, len(points))).long()]
    skulls = some[:, list(BONY)] * points.new_tensor([1, 1, DEPTH_SCALE])
    skulls = skulls - skulls.mean(1, keepdim=True)
    skulls = skulls / torch.linalg.vector_norm(skulls, dim=(1, 2), keepdim=True)
    median: Tensor = skulls[len(skulls) // 2]
    for _ in range(3):
        median = _align(skulls, median).median(0).values
        median = median / torch.linalg.vector_norm(median)
    return median


def _align(skulls: Tensor, onto: Tensor) -> Tensor:
    """Turn each set of centred points (..., L, 3) so that it lies nearest to the points ``onto`` (L, 3)."""
    rotation, _, _ = rigid_alignment(skulls, onto)
    aligned: Tensor = skulls @ rotation
    return aligned
