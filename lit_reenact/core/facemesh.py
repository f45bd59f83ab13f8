"""Numbers of the FaceMesh points, each named once, and the points on the other side of the face.

MediaPipe's FaceMesh gives a face 468 points and each iris 5 more. "Right" and "left" are the subject's; lists of one half name
the right one, and ``mirror_points`` gives the left. They lie in ``core`` because the face models and the renderer, which import
nothing from ``landmarks``, need them too. A table that gives points values of their own stays with the code that reads it.
"""

from __future__ import annotations

import torch
from torch import Tensor

Points = tuple[int, ...]

FACE_POINTS = 468
"""Number of points without the irises: the vertices of the face, and the landmarks that a mesh is fitted to."""

LEFT_IRIS, RIGHT_IRIS = slice(473, 478), slice(468, 473)
"""The centre of an iris, then four points on its rim."""

MIDLINE = (0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 94, 151, 152, 164, 168, 175, 195, 197, 199, 200)
"""Points on the plane of symmetry."""

FOREHEAD_TOP, FOREHEAD, NASION, NOSE_TIP, UNDER_NOSE, ABOVE_LIP, CHIN = 10, 151, 168, 1, 2, 164, 152
"""Single points of the midline from the hairline down; the nasion is the bridge of the nose between the eyes."""

LEFT_OUTER_EYE, LEFT_INNER_EYE, RIGHT_OUTER_EYE, RIGHT_INNER_EYE = 263, 362, 33, 133
"""Corners of the eyes."""

LEFT_UPPER_LID_MIDDLE, LEFT_LOWER_LID_MIDDLE, RIGHT_UPPER_LID_MIDDLE, RIGHT_LOWER_LID_MIDDLE = 386, 374, 159, 145
"""Middles of the lids' rims."""

RIGHT_UPPER_LID = (33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_LOWER_LID = (33, 7, 163, 144, 145, 153, 154, 155, 133)
"""Rim of the right eye from the outer to the inner corner; points of equal rank face each other."""

RIGHT_BROW_TOP = (70, 63, 105, 66, 107)
RIGHT_BROW_BOTTOM = (46, 53, 52, 65, 55)
"""Edges of the right brow from the temple to the nose; points of equal rank face each other."""

NOSE_BRIDGE = (168, 6, 197, 195)
"""Bridge of the nose from the nasion down."""

NOSTRILS = (2, 98, 327)
"""Points under the nose: the middle, below the right and below the left nostril."""

UPPER_LIP_MIDDLE, LOWER_LIP_MIDDLE = 13, 14
"""Middles of the inner rims of the lips."""

LEFT_MOUTH_CORNER, RIGHT_MOUTH_CORNER = 291, 61
"""Corners of the mouth where the lips meet the skin."""

UPPER_LIP_RIM = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP_RIM = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""Inner rim of the lips from the right to the left corner; points of equal rank face each other."""

UPPER_LIP_EDGE = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_LIP_EDGE = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
"""Outer edge of the lips from the right to the left corner."""

JAW_TIP = (152, 148, 377, 176, 400, 175)
"""Points on the tip of the jaw."""

RIGHT_JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148)
"""Edge of the face from the right ear down to the chin, which it leaves out."""

RIGHT_FOREHEAD_EDGE = (109, 67, 103, 54, 21, 162, 127)
"""Edge of the face from the middle of the hairline, which it leaves out, to the right ear."""

BONY = (
    *(33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 10, 151, 9, 8, 234, 454, 127, 356, 93, 323, 129, 358),
    *(109, 338, 67, 297, 103, 332, 54, 284, 21, 251, 162, 389),
)
"""Points of forehead, temples, nose and eye corners, which expressions hardly move."""


def mirror_indices() -> Tensor:
    """Return for each of the 468 points the one on the other side of the face, itself on the midline: int64 (468,).

    FaceMesh numbers the points of the right half first (all below 248) and those of the left half in the same order.
    """
    mirror = torch.arange(FACE_POINTS)
    right = torch.tensor([i for i in range(248) if i not in MIDLINE])
    left = torch.arange(248, FACE_POINTS)
    mirror[right], mirror[left] = left, right
    return mirror


def mirror_points(points: Points) -> Points:
    """Return the points on the other side of the face, in the order of ``points``."""
    mirror = mirror_indices()
    return tuple(int(mirror[i]) for i in points)


OUTLINE = (
    *(FOREHEAD_TOP, *mirror_points(RIGHT_FOREHEAD_EDGE), *mirror_points(RIGHT_JAW)),
    *(CHIN, *RIGHT_JAW[::-1], *RIGHT_FOREHEAD_EDGE[::-1]),
)
"""Edge of the face: from the hairline to the left ear, under the chin, to the right ear and back up."""
