"""Gaze of each eye, from the point where the camera ray through the iris meets a sphere about the eyeball's centre."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lit_reenact.core.facemesh import LEFT_IRIS, RIGHT_IRIS, RIGHT_LOWER_LID, RIGHT_UPPER_LID, mirror_points
from lit_reenact.core.geometry import flip
from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel
from lit_reenact.tracking.footage import Footage
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import Shape
from lit_reenact.tracking.smoothing import Timing

IRISES = (LEFT_IRIS, RIGHT_IRIS)
"""Landmarks of the left and the right iris: the centre, then four points on the rim."""

CENTRE_PRIOR = 1.0
"""Standard deviation (mm) of an eyeball's centre about the place that the rim of the eye gives it."""

PITCH_DEVIATION = math.radians(6)
"""Standard deviation (radians) of a person's usual pitch from the camera, which limits the trust in the eyeballs' height."""


class Eyes(NamedTuple):
    """Eyes of a person, and the gaze of T frames.

    Attributes:
        eyeballs: (2, 3) centres of the left and the right eyeball in head axes, mm.
        offset: (4,) radians, added to the measured gaze; minus the person's usual direction.
        gaze: (T, 4) yaw and pitch of the left eye, then of the right eye, radians, with the offset added.
    """

    eyeballs: Tensor
    offset: Tensor
    gaze: Tensor


def iris_centres(points: Tensor) -> Tensor:
    """Return the centres of the left and the right iris in landmarks (T, 478, 3), pixels: (T, 2, 2)."""
    return torch.stack([points[:, iris, :2].mean(1) for iris in IRISES], 1)


def rays_in_head(pixels: Tensor, rotation: Tensor, translation: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Express camera rays in head axes.

    Args:
        pixels: (T, N, 2) pixels that the rays pass through.
        rotation: (T, 3, 3) matrices of the head.
        translation: (T, 3) place of the head in the camera, mm.
        camera: camera of the pixels.

    Returns:
        origin (T, 1, 3) mm and unit direction (T, N, 3) in head axes.
    """
    centre = pixels.new_tensor([camera.width / 2, camera.height / 2])
    direction = torch.cat([(pixels - centre) / camera.focal, torch.ones_like(pixels[..., :1])], -1)
    direction = torch.nn.functional.normalize(direction, dim=-1)
    axes = flip(pixels)
    return (-translation * axes)[:, None] @ rotation, (direction * axes) @ rotation


def gaze_angles(origin: Tensor, direction: Tensor, centres: Tensor, radius: float) -> Tensor:
    """Return yaw and pitch of eyes whose irises lie where the rays first meet the spheres.

    A ray that misses its sphere is replaced by the nearest point of the sphere: the eye is turned as far as can be seen.

    Args:
        origin: (T, 1, 3) origin of the rays in head axes, mm.
        direction: (T, 2, 3) unit directions of the rays through the left and the right iris.
        centres: (2, 3) centres of the eyeballs, mm.
        radius: radius of the spheres, mm.

    Returns:
        (T, 2 eyes, 2) radians.
    """
    to_centre = centres - origin
    along = (to_centre * direction).sum(-1, keepdim=True)
    closest = origin + along * direction - centres
    depth = (radius**2 - closest.square().sum(-1, keepdim=True)).clamp_min(0).sqrt()
    iris = torch.nn.functional.normalize(closest - depth * direction, dim=-1)
    return torch.stack([torch.atan2(iris[..., 0], iris[..., 2]), torch.asin(iris[..., 1].clamp(-1, 1))], -1)


def iris_plane_radius(model: FaceModel) -> float:
    """Return the distance (mm) from an eyeball's centre to the middle of the disc that the rim of its iris spans."""
    return math.sqrt(model.eye_radius**2 - model.iris_radius**2)


def place_eyeballs(neutral: Tensor, model: FaceModel) -> Tensor:
    """Move the model's eyeballs with the rims of the eyes, from the mean face to ``neutral`` (V, 3): (2, 3) mm."""
    right = sorted({*RIGHT_UPPER_LID, *RIGHT_LOWER_LID})
    rims = torch.tensor([mirror_points(tuple(right)), right])
    return model.eyeballs + model.at_landmarks(neutral - model.vertices)[rims].mean(1)


def calibrate_eyeballs(centres: Tensor, origin: Tensor, direction: Tensor, radius: float) -> Tensor:
    """Move the eyeballs so that the eyes mostly look at one point, and mostly at the camera's height.

    Both eyeballs move by the same amount, sideways apart and up together: a free calibration would take a squint, or a look past
    the camera, for a property of the skull. Each shift is shrunk by its prior against the spread of its measurements, so that a
    clip with a varying squint hardly moves the eyeballs.

    Args:
        centres: (2, 3) centres of the left and the right eyeball, mm.
        origin: (T, 1, 3) origins of the rays in the frames to learn from, head axes, mm.
        direction: (T, 2, 3) unit directions of these rays.
        radius: radius of the sphere that the iris' centre lies on, mm.

    Returns:
        (2, 3) centres, mm.
    """
    if not len(direction):
        return centres
    gaze = gaze_angles(origin, direction, centres, radius)
    squint = gaze[:, 0, 0] - gaze[:, 1, 0]  # positive: the eyes diverge
    to_camera = torch.nn.functional.normalize(origin.squeeze(1), dim=-1)
    height = gaze[..., 1].mean(1) - torch.asin(to_camera[:, 1])
    apart = _shrunk_shift(squint.median(), (squint - squint.median()).abs().median() * 1.48, radius / 2)
    up = _shrunk_shift(height.median(), height.new_tensor(PITCH_DEVIATION), radius)
    return centres + torch.stack([torch.stack([side * apart, up, up * 0]) for side in (1.0, -1.0)])


def _shrunk_shift(angle: Tensor, deviation: Tensor, lever: float) -> Tensor:
    """Return the shift (mm) that undoes an angle over a lever (mm), shrunk by its prior against the angle's deviation."""
    noise = (deviation * lever).square()
    return angle * lever * CENTRE_PRIOR**2 / (CENTRE_PRIOR**2 + noise)


def usual_gaze(gaze: Tensor, open_eyes: Tensor) -> Tensor:
    """Return the usual direction of both eyes together.

    It is the same for both eyes, so that a squint stays a squint.

    Args:
        gaze: (T, 4) radians.
        open_eyes: bool (T, 2).

    Returns:
        (4,) median over the frames with both eyes open; 0 if there are none.
    """
    both = open_eyes.all(-1)
    if not bool(both.any()):
        return gaze.new_zeros(4)
    return gaze[both].view(-1, 2, 2).mean(1).median(0).values.repeat(2)


def smooth_gaze(gaze: Tensor, open_eyes: Tensor, timing: Timing, settings: TrackerSettings) -> Tensor:
    """Interpolate gaze (T, 4) where an eye is closed, by ``open_eyes`` bool (T, 2), and smooth it.

    The common direction of the eyes is smoothed lightly, because eyes jump; their difference more, because it hardly changes.
    """
    left, right = (timing.fill(gaze[:, 2 * eye : 2 * eye + 2], open_eyes[:, eye]) for eye in range(2))
    common = timing.smooth((left + right) / 2, settings.eye_smoothing)
    apart = timing.smooth((left - right) / 2, settings.squint_smoothing)
    return torch.cat([common + apart, common - apart], -1)


def fit_gaze(shape: Shape, footage: Footage) -> Eyes:
    """Measure the gaze of every frame, relative to the person's usual direction.

    Args:
        shape: pose and expression of the T frames.
        footage: landmarks, timing, camera, model and settings.
    """
    points, timing, model, settings = footage.points, footage.timing, footage.model, footage.settings
    radius = iris_plane_radius(model)
    blinks = [model.expression_names.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    open_eyes = (shape.expression[:, blinks] < settings.closed_blink) & timing.seen[:, None]
    irises = torch.where(timing.seen[:, None, None], iris_centres(points), torch.zeros(()))
    origin, direction = rays_in_head(irises, shape.rotation, shape.translation, footage.camera)
    learn = open_eyes.all(-1) & (torch.arange(len(points)) < timing.actor_frames)
    eyeballs = calibrate_eyeballs(place_eyeballs(shape.neutral, model), origin[learn], direction[learn], radius)
    measured = gaze_angles(origin, direction, eyeballs, radius).flatten(1)
    offset = -usual_gaze(measured[: timing.actor_frames], open_eyes[: timing.actor_frames])
    return Eyes(eyeballs, offset, smooth_gaze(measured, open_eyes, timing, settings) + offset)
