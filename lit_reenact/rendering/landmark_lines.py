"""The landmark image: landmarks as coloured lines, conditioning of earlier work (Zakharov et al. 2019, Wang et al. 2019)."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lit_reenact.core.facemesh import (
    CHIN,
    LOWER_LIP_EDGE,
    NOSE_BRIDGE,
    RIGHT_BROW_TOP,
    RIGHT_JAW,
    UNDER_NOSE,
    UPPER_LIP_EDGE,
    Points,
    mirror_points,
)
from lit_reenact.core.geometry import gaze_direction, head_to_camera, project
from lit_reenact.core.schema import Actor, Camera, FaceParameters
from lit_reenact.face.model import FaceModel
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, MOUTH, RIMS
from lit_reenact.rendering.conditioning import eyeball_centres

RIGHT_NOSTRIL = (98, 97)
"""FaceMesh points from the right edge of the nose towards the middle."""


def _close_loop(upper: Points, lower: Points) -> Points:
    """Join two rims with common corners into one line, along the upper and back along the lower."""
    return upper + lower[-2::-1]


EYES = (_close_loop(*RIMS[EYE_LEFT]), _close_loop(*RIMS[EYE_RIGHT]))
"""Rims of the left and the right eye, FaceMesh indices."""

PARTS = (
    ((255, 255, 255), (*RIGHT_JAW, CHIN, *mirror_points(RIGHT_JAW)[::-1])),
    ((255, 128, 0), mirror_points(RIGHT_BROW_TOP)),
    ((255, 255, 0), RIGHT_BROW_TOP),
    ((0, 255, 0), (*NOSE_BRIDGE, 5, 4)),
    ((0, 160, 80), (*RIGHT_NOSTRIL, UNDER_NOSE, *mirror_points(RIGHT_NOSTRIL)[::-1])),
    ((0, 128, 255), EYES[0]),
    ((0, 255, 255), EYES[1]),
    ((255, 0, 0), _close_loop(UPPER_LIP_EDGE, LOWER_LIP_EDGE)),
    ((255, 0, 255), _close_loop(*RIMS[MOUTH])),
)
"""Colour and points of each line: jaw, left and right brow, bridge and base of the nose, left and right eye, lips outside and
inside. Later lines are drawn over earlier ones."""

IRISES = ((128, 128, 255), (160, 255, 128))
"""Colours of the left and the right iris, RGB."""

IRIS_POINTS = 24
"""Points of the outline of an iris."""

LINE = 1 / 128
"""Width of a line as a share of the image's height."""

_SHIFT = 4  # binary digits of the fractions of pixels that OpenCV takes


def draw_landmarks(model: FaceModel, actor: Actor, camera: Camera, parameters: FaceParameters, mesh: Tensor) -> Tensor:
    """Draw the landmarks of T frames, and the outlines of the irises between the lids.

    The landmarks are points of the mesh, not those detected in a video, because a transfer has no others. All tensors lie on the
    CPU.

    Args:
        model: face model: places of the landmarks on the mesh, radii of the eyes.
        actor: eyeballs and gaze offset of the person.
        camera: camera of the images.
        parameters: pose and gaze of the frames.
        mesh: (T, V, 3), mm, head axes.

    Returns:
        uint8 (T, 3, H, W).
    """
    points = torch.cat([model.landmarks(mesh), _iris_outlines(model, actor, parameters)], 1)
    projected = project(head_to_camera(points, parameters.rotation, parameters.translation), camera)[..., :2]
    places = ((projected - 0.5) * 2**_SHIFT).round().int().numpy()  # OpenCV's pixels have their centres at whole numbers
    return torch.from_numpy(np.stack([_draw_frame(frame, camera) for frame in places])).permute(0, 3, 1, 2)


def _iris_outlines(model: FaceModel, actor: Actor, parameters: FaceParameters) -> Tensor:
    """Return circles about the left and then the right line of sight, (T, 2 * IRIS_POINTS, 3) mm, head axes."""
    gaze = (parameters.gaze - actor.gaze_offset).view(-1, 2, 2)  # (T, eye, yaw and pitch)
    ahead = gaze_direction(gaze)  # (T, 2, 3)
    up = gaze_direction(gaze + gaze.new_tensor([0.0, math.pi / 2]))
    turn = torch.arange(IRIS_POINTS) * (2 * math.pi / IRIS_POINTS)
    across = torch.linalg.cross(up, ahead)[:, :, None] * turn.cos()[:, None] + up[:, :, None] * turn.sin()[:, None]
    distance = (model.eye_radius**2 - model.iris_radius**2) ** 0.5
    outlines: Tensor = (
        eyeball_centres(model, actor, parameters)[:, :, None] + distance * ahead[:, :, None] + model.iris_radius * across
    )  # (T, 2, IRIS_POINTS, 3)
    return outlines.flatten(1, 2)


def _draw_frame(points: npt.NDArray[np.int32], camera: Camera) -> npt.NDArray[np.uint8]:
    """Draw one frame, uint8 (H, W, 3), from landmarks, then irises: (468 + 2 * IRIS_POINTS, 2) in units of 2**-_SHIFT pixels."""
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    width = max(1, round(LINE * camera.height))
    for side, colour in enumerate(IRISES):
        start = len(points) - (2 - side) * IRIS_POINTS
        iris, open_eye = np.zeros_like(image), np.zeros_like(image)
        cv2.polylines(iris, [points[start : start + IRIS_POINTS]], True, colour, width, cv2.LINE_AA, _SHIFT)
        cv2.fillPoly(open_eye, [points[list(EYES[side])]], (1, 1, 1), cv2.LINE_8, _SHIFT)
        image += iris * open_eye
    for colour, line in PARTS:
        closed = line[0] == line[-1]
        cv2.polylines(image, [points[list(line)]], closed, colour, width, cv2.LINE_AA, _SHIFT)
    return image
