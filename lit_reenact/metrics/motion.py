"""How well the motion that is found in a clip follows the motion that was wanted: (T, ...) against (T, ...), frame by frame.

The distances after Ren et al. 2021 (PIRenderer), who measure those of a face model's coefficients; here they have units.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.facemesh import FACE_POINTS, LOWER_LIP_MIDDLE, UPPER_LIP_MIDDLE
from lit_reenact.core.geometry import axis_angle_to_matrix, gaze_direction
from lit_reenact.landmarks.measures import outer_eye_distance


def pearson_r(driving: Tensor, output: Tensor) -> Tensor:
    """Pearson's correlation of two series (T,); in [-1, 1], 1 when one follows the other up to scale and offset, NaN for a
    constant series.
    """
    a = driving.double() - driving.double().mean()
    b = output.double() - output.double().mean()
    r: Tensor = (a @ b) / (a.norm() * b.norm())
    return r


def slope(driving: Tensor, output: Tensor) -> Tensor:
    """Slope of the least-squares line of the output's over the driving series (T,); 1 when the motion has its full size."""
    a = driving.double() - driving.double().mean()
    steepness: Tensor = (a @ output.double()) / (a @ a)
    return steepness


def mouth_opening(landmarks: Tensor) -> Tensor:
    """Inner-lip gap over the distance of the outer eye corners: landmarks (T, 478, 3) in one unit to (T,), 0 when closed.

    The gap is the one that is seen: pressed lips lie at unlike depths, and MediaPipe's depth is a guess. The distance of the
    eyes is measured in three dimensions, so that turning the head changes it little.
    """
    gap: Tensor = (landmarks[:, UPPER_LIP_MIDDLE, :2] - landmarks[:, LOWER_LIP_MIDDLE, :2]).norm(dim=-1)
    return gap / outer_eye_distance(landmarks)


def pose_distance(driving: Tensor, output: Tensor) -> Tensor:
    """Angle of the rotation from one head to the other, (T,) degrees in [0, 180], of axis-angles (T, 3): 0 when turned alike.

    2 asin(|A - B| / sqrt(8)) of the two matrices, the geodesic distance of rotations (Huynh 2009); over a clip its mean is
    the average pose distance.
    """
    a, b = axis_angle_to_matrix(driving), axis_angle_to_matrix(output)
    chord: Tensor = (a - b).norm(dim=(-2, -1)) / 8**0.5
    return 2 * chord.clamp(max=1).asin().rad2deg()


def expression_distance(driving: Tensor, output: Tensor) -> Tensor:
    """Euclidean distance (T,) of named blendshape coefficients (T, K), which lie in [0, 1] or [-1, 1]: 0 when equal; no
    unit. Over a clip its mean is the average expression distance.
    """
    distance: Tensor = (driving - output).norm(dim=-1)
    return distance


def landmark_distance(driving: Tensor, output: Tensor) -> Tensor:
    """Mean distance in the picture of landmarks (T, 478, 3), (T,) in % of the driving face's outer-eye distance; 0 when equal.

    The irises are left out, for gaze is measured by itself.
    """
    distance: Tensor = (driving[:, :FACE_POINTS, :2] - output[:, :FACE_POINTS, :2]).norm(dim=-1).mean(-1)
    return 100 * distance / outer_eye_distance(driving)


def gaze_error(driving: Tensor, output: Tensor) -> Tensor:
    """Angle between two directions of gaze relative to the head, the mean of both eyes: gaze (T, 4) as in ``FaceParameters`` to
    (T,) degrees in [0, 180].
    """
    a, b = (gaze_direction(gaze.reshape(-1, 2, 2)) for gaze in (driving, output))  # (T, 2, 3)
    angle: Tensor = torch.atan2(torch.linalg.cross(a, b).norm(dim=-1), (a * b).sum(-1))
    return angle.mean(-1).rad2deg()
