"""Rough figures read off FaceMesh landmarks, good enough to judge a video by; the tracker measures the same things exactly."""

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
"""MediaPipe's z is about a quarter too deep."""

OTHER_PERSON = 2.5
"""``skull_difference`` that one person hardly reaches."""


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
    """Height of the face, hairline to chin, in landmarks (T, 478, 3): (T,) pixels."""
    return points[..., 1].amax(1) - points[..., 1].amin(1)


def head_angles(points: Tensor) -> Tensor:
    """Yaw, pitch and roll in landmarks (T, 478, 3) of the same person: (T, 3) degrees; pitch has an offset of its own."""
    scaled = points * points.new_tensor([1, 1, DEPTH_SCALE])
    across = outer_eye_axis(scaled)  # to the subject's left, which is to the right in the picture
    up = scaled[:, FOREHEAD_TOP] - scaled[:, ABOVE_LIP]
    yaw = torch.atan2(across[:, 2], across[:, :2].norm(dim=-1))
    pitch = torch.atan2(up[:, 2], up[:, :2].norm(dim=-1))
    roll = torch.atan2(across[:, 1], across[:, 0])
    return torch.rad2deg(torch.stack([yaw, pitch, roll], -1))


def mouth_shape(points: Tensor) -> Tensor:
    """Opening and width of the mouth over the distance of the outer eye corners in landmarks (T, 478, 3): (T, 2)."""
    ends = ((UPPER_LIP_MIDDLE, LOWER_LIP_MIDDLE), (LEFT_MOUTH_CORNER, RIGHT_MOUTH_CORNER))
    sizes = [torch.linalg.vector_norm(points[:, one] - points[:, other], dim=-1) for one, other in ends]
    return torch.stack(sizes, -1) / outer_eye_distance(points)[:, None]


def skull_difference(first: Tensor, second: Tensor) -> float:
    """How much two people's faces differ where expressions hardly move them, in % of the distance of the outer eye corners.

    Of one person at different times it is about 1.5 (up to 2.4), of two people mostly 2.5 to 6.

    Args:
        first: (T, 478, 3) landmarks.
        second: (T', 478, 3) landmarks.
    """
    mine, other = _median_skull(first), _median_skull(second)
    other = _turned(other, mine)
    unit = (mine[BONY.index(RIGHT_OUTER_EYE)] - mine[BONY.index(LEFT_OUTER_EYE)]).norm()
    return float(100 * (mine - other).norm(dim=-1).mean() / unit)


def _median_skull(points: Tensor) -> Tensor:
    """The bony landmarks (L, 3) of up to a hundred frames, turned alike, of unit size."""
    some = points[torch.linspace(0, len(points) - 1, min(100, len(points))).long()]
    skulls = some[:, list(BONY)] * points.new_tensor([1, 1, DEPTH_SCALE])
    skulls = skulls - skulls.mean(1, keepdim=True)
    skulls = skulls / torch.linalg.vector_norm(skulls, dim=(1, 2), keepdim=True)
    median: Tensor = skulls[len(skulls) // 2]
    for _ in range(3):
        median = _turned(skulls, median).median(0).values
        median = median / torch.linalg.vector_norm(median)
    return median


def _turned(skulls: Tensor, onto: Tensor) -> Tensor:
    """Centred points (..., L, 3), each turned so that it lies nearest to (L, 3)."""
    rotation, _, _ = rigid_alignment(skulls, onto)
    turned: Tensor = skulls @ rotation
    return turned
