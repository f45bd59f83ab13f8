"""Gaze from projected irises: known gaze, blinks, a squint, and eyeballs that follow the eyes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, gaze_direction, head_to_camera, project
from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel, builtin_model
from lit_reenact.tracking.footage import Footage
from lit_reenact.tracking.gaze import calibrate_eyeballs, fit_gaze, gaze_angles, iris_plane_radius, place_eyeballs, rays_in_head
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import Shape
from lit_reenact.tracking.smoothing import Timing
from tests.factories import make_parameters

CAMERA = Camera(focal=1152.0, width=256, height=256)
FRAMES = 60


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


def iris_rims(model: FaceModel, gaze: Tensor, eyeballs: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """Project four points on the rim of each iris, a circle on the eyeball around the gaze (T, 4): pixels (T, 2, 4, 2)."""
    forward = gaze_direction(gaze.view(-1, 2, 2))  # (T, 2, 3)
    upward = torch.tensor([0.0, 1.0, 0.0]).expand_as(forward)
    side = torch.nn.functional.normalize(torch.linalg.cross(upward, forward, dim=-1), dim=-1)
    up = torch.linalg.cross(forward, side, dim=-1)
    middle = eyeballs + forward * math.sqrt(model.eye_radius**2 - model.iris_radius**2)
    rim = torch.stack([middle + model.iris_radius * d for d in (side, up, -side, -up)], 2)  # (T, 2, 4, 3)
    return project(head_to_camera(rim.flatten(1, 2), rotation, translation), CAMERA)[..., :2].view(-1, 2, 4, 2)


def landmarks_with_irises(rims: Tensor) -> Tensor:
    points = torch.zeros(len(rims), 478, 3)
    for eye, first in ((0, 473), (1, 468)):
        points[:, first + 1 : first + 5, :2] = rims[:, eye]
        points[:, first, :2] = rims[:, eye].mean(1)
    return points


def test_known_gaze_is_found(model: FaceModel) -> None:
    parameters = make_parameters(model, FRAMES, seed=1)
    rims = iris_rims(model, parameters.gaze, model.eyeballs, parameters.rotation, parameters.translation)
    rotation = axis_angle_to_matrix(parameters.rotation)
    origin, direction = rays_in_head(rims.mean(2), rotation, parameters.translation, CAMERA)
    found = gaze_angles(origin, direction, model.eyeballs, iris_plane_radius(model)).flatten(1)
    assert torch.rad2deg(found - parameters.gaze).abs().max() <= 1.0


def test_fit_gaze_is_relative_to_the_usual_direction_and_bridges_blinks(model: FaceModel) -> None:
    parameters = make_parameters(model, FRAMES, seed=2)
    gaze = parameters.gaze[:, :2].repeat(1, 2)
    points = landmarks_with_irises(iris_rims(model, gaze, model.eyeballs, parameters.rotation, parameters.translation))
    expression = torch.zeros_like(parameters.expression)
    blinks = [model.expression_names.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    expression[30:33, blinks] = 1.0
    points[30:33, 468:, :2] += 8  # nonsense under closed lids
    rotation = axis_angle_to_matrix(parameters.rotation)
    error = torch.zeros(FRAMES)
    shape = Shape(
        neutral=model.vertices,
        identity=torch.zeros(78),
        rotation=rotation,
        translation=parameters.translation,
        expression=expression,
        fitted_error=error,
        error=error,
        modes=torch.zeros(0, 468, 3),
        corrective=torch.zeros(FRAMES, 0),
        corrected_error=error,
    )
    yes = torch.ones(FRAMES, dtype=torch.bool)
    footage = Footage(points, Timing(yes, yes, ~yes, 30.0, FRAMES), model, CAMERA, TrackerSettings())
    _, offset, found = fit_gaze(shape, footage)

    assert found.median(0).values.abs().max() < math.radians(1.0)
    off = torch.rad2deg((found - found.mean(0)) - (gaze - gaze.mean(0))).abs()
    assert off.mean() <= 1.0
    assert off[30:33].max() < 6
    torch.testing.assert_close(-offset, gaze.median(0).values, atol=math.radians(5), rtol=0)


def test_calibration_is_symmetric_and_shrinks_a_squint(model: FaceModel) -> None:
    radius = iris_plane_radius(model)
    rotation, translation = torch.zeros(FRAMES, 3), torch.tensor([0.0, 0.0, 1200.0]).expand(FRAMES, 3)

    def moved(squint: Tensor) -> Tensor:
        gaze = torch.stack([squint, squint * 0, -squint, squint * 0], -1)
        rims = iris_rims(model, gaze, model.eyeballs, rotation, translation)
        origin, direction = rays_in_head(rims.mean(2), axis_angle_to_matrix(rotation), translation, CAMERA)
        return calibrate_eyeballs(model.eyeballs, origin, direction, radius) - model.eyeballs

    steady = moved(torch.full((FRAMES,), math.radians(4)))
    roving = moved(math.radians(4) + torch.linspace(-0.6, 0.6, FRAMES))
    torch.testing.assert_close(steady[0, 0], -steady[1, 0])
    assert steady[0, 0] == pytest.approx(radius * math.radians(4), rel=0.1)  # a steady squint is a property of the skull
    assert roving[0, 0].abs() < 0.3 * steady[0, 0]
    assert torch.equal(steady[0, 1:], steady[1, 1:])


def test_eyeballs_follow_the_rims_of_the_eyes(model: FaceModel) -> None:
    moved = place_eyeballs(model.vertices + torch.tensor([1.0, 2.0, 3.0]), model)
    torch.testing.assert_close(moved, model.eyeballs + torch.tensor([1.0, 2.0, 3.0]))
