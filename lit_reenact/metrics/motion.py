"""Comparison of the motion of a generated clip with the driving motion, frame by frame.

The distances follow Ren et al. 2021 (PIRenderer), who compare coefficients of a face model; here they have units.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.facemesh import FACE_POINTS, LOWER_LIP_MIDDLE, UPPER_LIP_MIDDLE
from lit_reenact.core.geometry import axis_angle_to_matrix, gaze_direction
from lit_reenact.landmarks.measures import outer_eye_distance


def pearson_r(driving: Tensor, output: Tensor) -> Tensor:
    """Return Pearson's correlation of two series (T,); in [-1, 1], 1 if they differ by scale and offset only.

    It is NaN for a constant series.
    """
    a = driving.double() - driving.double().mean()
    b = output.double() - output.double().mean()
    r: Tensor = (a @ b) / (a.norm() * b.norm())
    return r


def slope(driving: Tensor, output: Tensor) -> Tensor:
    """Return the slope of the least-squares line of the output over the driving series (T,); 1 for motion of full size."""
    a = driving.double() - driving.double().mean()
    steepness: Tensor = (a @ output.double()) / (a @ a)
    return steepness


def mouth_opening(landmarks: Tensor) -> Tensor:
    """Return the inner-lip gap over the outer-eye distance, (T,), of landmarks (T, 478, 3); 0 for a closed mouth.

    The gap is measured in the picture, because pressed lips lie at different depths and MediaPipe's depth is a guess. The
    distance of the eyes is measured in three dimensions, so that a turn of the head changes it little.
    """
    gap: Tensor = (landmarks[:, UPPER_LIP_MIDDLE, :2] - landmarks[:, LOWER_LIP_MIDDLE, :2]).norm(dim=-1)
    return gap / outer_eye_distance(landmarks)


def pose_distance(driving: Tensor, output: Tensor) -> Tensor:
    """Return the angle (T,) between two head rotations, axis-angle (T, 3); degrees in [0, 180].

    It is 2 asin(|A - B| / sqrt(8)) of the two matrices, the geodesic distance of rotations (Huynh 2009). Its mean over a clip is
    APD, the average pose distance, after Ren et al. 2021, who compare coefficients instead.
    """
    a, b = axis_angle_to_matrix(driving), axis_angle_to_matrix(output)
    chord: Tensor = (a - b).norm(dim=(-2, -1)) / 8**0.5
    return 2 * chord.clamp(max=1).asin().rad2deg()


def expression_distance(driving: Tensor, output: Tensor) -> Tensor:
    """Return the Euclidean distance (T,) of blendshape coefficients (T, K), which lie in [0, 1] or [-1, 1].

    Its mean over a clip is AED, the average expression distance, after Ren et al. 2021.
    """
    distance: Tensor = (driving - output).norm(dim=-1)
    return distance


def landmark_distance(driving: Tensor, output: Tensor) -> Tensor:
    """Return the mean distance (T,) in the picture of landmarks (T, 478, 3), in % of the driving face's outer-eye distance.

    The irises do not count, because gaze has a metric of its own.
    """
    distance: Tensor = (driving[:, :FACE_POINTS, :2] - output[:, :FACE_POINTS, :2]).norm(dim=-1).mean(-1)
    return 100 * distance / outer_eye_distance(driving)


def gaze_error(driving: Tensor, output: Tensor) -> Tensor:
    """Return the angle (T,) between two gaze directions (T, 4) relative to the head, mean of both eyes; degrees in [0, 180]."""
    a, b = (gaze_direction(gaze.reshape(-1, 2, 2)) for gaze in (driving, output))  # (T, 2, 3)
    angle: Tensor = torch.atan2(torch.linalg.cross(a, b).norm(dim=-1), (a * b).sum(-1))
    return angle.mean(-1).rad2deg()
