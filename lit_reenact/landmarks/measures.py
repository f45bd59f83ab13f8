"""Rough figures read off FaceMesh landmarks, good enough to judge a video by; the tracker measures the same things exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.geometry import rigid_alignment

DEPTH_SCALE = 0.8
"""MediaPipe's z is about a quarter too deep."""

FOREHEAD = 10
RIGHT_EYE, LEFT_EYE = 33, 263
ABOVE_LIP = 164
UPPER_LIP, LOWER_LIP = 13, 14
RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER = 61, 291

BONY = (
    *(33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 10, 151, 9, 8, 234, 454, 127, 356, 93, 323, 129, 358),
    *(109, 338, 67, 297, 103, 332, 54, 284, 21, 251, 162, 389),
)
"""Landmarks of forehead, temples, nose and eye corners, which expressions hardly move."""

OTHER_PERSON = 2.5
"""``skull_difference`` that one person hardly reaches."""


def face_heights(points: Tensor) -> Tensor:
    """Height of the face, hairline to chin, in landmarks (T, 478, 3): (T,) pixels."""
    return points[..., 1].amax(1) - points[..., 1].amin(1)


def head_angles(points: Tensor) -> Tensor:
    """Yaw, pitch and roll in landmarks (T, 478, 3) of the same person: (T, 3) degrees; pitch has an offset of its own."""
    scaled = points * points.new_tensor([1, 1, DEPTH_SCALE])
    across = scaled[:, LEFT_EYE] - scaled[:, RIGHT_EYE]  # to the subject's left, which is to the right in the picture
    up = scaled[:, FOREHEAD] - scaled[:, ABOVE_LIP]
    yaw = torch.atan2(across[:, 2], across[:, :2].norm(dim=-1))
    pitch = torch.atan2(up[:, 2], up[:, :2].norm(dim=-1))
    roll = torch.atan2(across[:, 1], across[:, 0])
    return torch.rad2deg(torch.stack([yaw, pitch, roll], -1))


def mouth_shape(points: Tensor) -> Tensor:
    """Opening and width of the mouth over the distance of the outer eye corners in landmarks (T, 478, 3): (T, 2)."""
    unit = _distance(points, LEFT_EYE, RIGHT_EYE)
    sizes = [_distance(points, UPPER_LIP, LOWER_LIP), _distance(points, LEFT_MOUTH_CORNER, RIGHT_MOUTH_CORNER)]
    return torch.stack(sizes, -1) / unit[:, None]


def skull_difference(first: Tensor, second: Tensor) -> float:
    """How much two people's faces differ where expressions hardly move them, in % of the distance of the outer eye corners.

    Of one person at different times it is about 1.5 (up to 2.4), of two people mostly 2.5 to 6.

    Args:
        first: (T, 478, 3) landmarks.
        second: (T', 478, 3) landmarks.
    """
    mine, other = _median_skull(first), _median_skull(second)
    other = _turned(other, mine)
    unit = (mine[BONY.index(RIGHT_EYE)] - mine[BONY.index(LEFT_EYE)]).norm()
    return float(100 * (mine - other).norm(dim=-1).mean() / unit)


def _distance(points: Tensor, one: int, other: int) -> Tensor:
    distance: Tensor = torch.linalg.vector_norm(points[:, one] - points[:, other], dim=-1)
    return distance


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
