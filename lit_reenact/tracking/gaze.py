"""Where each eye looks: the camera ray through the iris meets a sphere around the centre of the eyeball."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lit_reenact.core.facemesh import LEFT_IRIS, RIGHT_IRIS, RIGHT_LOWER_LID, RIGHT_UPPER_LID, mirror_points
from lit_reenact.core.geometry import flip
from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import Shape
from lit_reenact.tracking.smoothing import Timing

IRISES = (LEFT_IRIS, RIGHT_IRIS)
"""FaceMesh landmarks of the left and the right iris: the centre, then four points on the rim."""

CENTRE_PRIOR = 1.0
"""Standard deviation (mm) of an eyeball's centre about where the eye's corners place it."""

PITCH_DEVIATION = math.radians(6)
"""How far from the camera a person's usual look may lie, so that the height of the eyeballs is believed only in part."""


def iris_centres(points: Tensor) -> Tensor:
    """Centres of the left and the right iris in FaceMesh landmarks (T, 478, 3), pixels: (T, 2, 2)."""
    return torch.stack([points[:, iris, :2].mean(1) for iris in IRISES], 1)


def rays_in_head(pixels: Tensor, rotation: Tensor, translation: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Camera rays through pixels (T, N, 2), seen from heads with matrices (T, 3, 3) at (T, 3).

    Returns:
        origin (T, 1, 3) mm and unit direction (T, N, 3) in head axes.
    """
    centre = pixels.new_tensor([camera.width / 2, camera.height / 2])
    direction = torch.cat([(pixels - centre) / camera.focal, torch.ones_like(pixels[..., :1])], -1)
    direction = torch.nn.functional.normalize(direction, dim=-1)
    axes = flip(pixels)
    return (-translation * axes)[:, None] @ rotation, (direction * axes) @ rotation


def gaze_angles(origin: Tensor, direction: Tensor, centres: Tensor, radius: float) -> Tensor:
    """Yaw and pitch (T, 2 eyes, 2) of eyes at ``centres`` (2, 3) whose iris lies where the rays first meet the spheres.

    A ray that misses its sphere takes the nearest point of it: the eye is turned as far as can be seen.
    """
    to_centre = centres - origin
    along = (to_centre * direction).sum(-1, keepdim=True)
    closest = origin + along * direction - centres
    depth = (radius**2 - closest.square().sum(-1, keepdim=True)).clamp_min(0).sqrt()
    iris = torch.nn.functional.normalize(closest - depth * direction, dim=-1)
    return torch.stack([torch.atan2(iris[..., 0], iris[..., 2]), torch.asin(iris[..., 1].clamp(-1, 1))], -1)


def iris_plane_radius(model: FaceModel) -> float:
    """Distance (mm) from an eyeball's centre to the middle of the disc that the rim of its iris spans."""
    return math.sqrt(model.eye_radius**2 - model.iris_radius**2)


def place_eyeballs(neutral: Tensor, model: FaceModel) -> Tensor:
    """The model's eyeballs moved as the rims of the eyes are, from the mean face to ``neutral`` (V, 3): (2, 3) mm."""
    right = sorted({*RIGHT_UPPER_LID, *RIGHT_LOWER_LID})
    rims = torch.tensor([mirror_points(tuple(right)), right])
    return model.eyeballs + model.at_landmarks(neutral - model.vertices)[rims].mean(1)


def calibrate_eyeballs(centres: Tensor, origin: Tensor, direction: Tensor, radius: float) -> Tensor:
    """Move the eyeballs (2, 3) so that the eyes mostly look at one point, and mostly at the camera's height.

    Only shifts that are the same on both sides are made, sideways apart and up together: a free calibration would take a squint,
    or a look past the camera, for a property of the skull. Each shift is shrunk by its prior against the spread of what
    it was measured from, so that a clip of a moving squint hardly moves anything.

    Args:
        centres: (2, 3) of the left and the right eyeball.
        origin: (T, 1, 3) of the rays of the frames to learn from.
        direction: (T, 2, 3) of these rays.
        radius: of the sphere that the iris' centre lies on.
    """
    if not len(direction):
        return centres
    gaze = gaze_angles(origin, direction, centres, radius)
    squint = gaze[:, 0, 0] - gaze[:, 1, 0]  # positive: the eyes diverge
    to_camera = torch.nn.functional.normalize(origin.squeeze(1), dim=-1)
    height = gaze[..., 1].mean(1) - torch.asin(to_camera[:, 1])
    apart = _shrunk(squint.median(), (squint - squint.median()).abs().median() * 1.48, radius / 2)
    up = _shrunk(height.median(), height.new_tensor(PITCH_DEVIATION), radius)
    return centres + torch.stack([torch.stack([side * apart, up, up * 0]) for side in (1.0, -1.0)])


def _shrunk(angle: Tensor, deviation: Tensor, lever: float) -> Tensor:
    """Shift (mm) that undoes an angle over a lever (mm), shrunk by the prior of the shift against the angle's deviation."""
    noise = (deviation * lever).square()
    return angle * lever * CENTRE_PRIOR**2 / (CENTRE_PRIOR**2 + noise)


def usual_gaze(gaze: Tensor, open_eyes: Tensor) -> Tensor:
    """Where both eyes together mostly look, (4,): the median of gaze (T, 4) over the frames with both open, bool (T, 2).

    It is the same for both eyes, so that a squint stays a squint; 0 if the eyes are never open.
    """
    both = open_eyes.all(-1)
    if not bool(both.any()):
        return gaze.new_zeros(4)
    return gaze[both].view(-1, 2, 2).mean(1).median(0).values.repeat(2)


def smooth_gaze(gaze: Tensor, open_eyes: Tensor, timing: Timing, settings: TrackerSettings) -> Tensor:
    """Gaze (T, 4) interpolated where an eye is closed, bool (T, 2), and smoothed.

    What both eyes do together is smoothed lightly, for eyes jump; the difference between them more, for it hardly changes.
    """
    left, right = (timing.fill(gaze[:, 2 * eye : 2 * eye + 2], open_eyes[:, eye]) for eye in range(2))
    common = timing.smooth((left + right) / 2, settings.eye_smoothing)
    apart = timing.smooth((left - right) / 2, settings.squint_smoothing)
    return torch.cat([common + apart, common - apart], -1)


def fit_gaze(
    points: Tensor, shape: Shape, timing: Timing, model: FaceModel, camera: Camera, settings: TrackerSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Gaze of every frame, relative to where the person mostly looks.

    Args:
        points: (T, 478, 3) landmarks in pixels.
        shape: pose and expression of the T frames.
        timing: of the T frames.
        model: face model.
        camera: of the clip.
        settings: see there.

    Returns:
        eyeballs (2, 3) mm, gaze_offset (4,) radians, gaze (T, 4) radians with the offset added.
    """
    radius = iris_plane_radius(model)
    blinks = [model.expression_names.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    open_eyes = (shape.expression[:, blinks] < settings.closed_blink) & timing.seen[:, None]
    irises = torch.where(timing.seen[:, None, None], iris_centres(points), torch.zeros(()))
    origin, direction = rays_in_head(irises, shape.rotation, shape.translation, camera)
    learn = open_eyes.all(-1) & (torch.arange(len(points)) < timing.actor_frames)
    eyeballs = calibrate_eyeballs(place_eyeballs(shape.neutral, model), origin[learn], direction[learn], radius)
    measured = gaze_angles(origin, direction, eyeballs, radius).flatten(1)
    offset = -usual_gaze(measured[: timing.actor_frames], open_eyes[: timing.actor_frames])
    return eyeballs, offset, smooth_gaze(measured, open_eyes, timing, settings) + offset
