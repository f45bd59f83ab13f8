"""E_photo on a head with known parameters, reflectance and light, drawn by the rasteriser of the conditioning images."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, head_to_camera, project
from lit_reenact.core.schema import Camera, FaceParameters
from lit_reenact.face import FaceModel, builtin_model
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.rendering.shading import irradiance
from lit_reenact.tracking import energy, skin_samples
from lit_reenact.tracking.photo_term import BRIGHTNESS_SCALE, KnownSkin, PhotoModel, linearise, sample_picture
from lit_reenact.tracking.problem import Problem, landmark_problem
from lit_reenact.tracking.refinement import refine_frames
from lit_reenact.tracking.schedule import FIT, REFINE
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.solver import solve
from lit_reenact.tracking.state import State, initial_state
from lit_reenact.tracking.tracked_skin import sparse_skin
from tests.factories import make_actor, make_parameters

CAMERA = Camera(focal=4.5 * 256, width=256, height=256)
FRAMES = 24
BROWS = [70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285]
CHIN = [152, 148, 377, 176, 400, 149, 378, 175, 199, 200, 140, 369, 171, 396]


class Scene(NamedTuple):
    """A known head in FRAMES frames: true state, rendered frames, and true landmarks (T, 468, 2)."""

    problem: Problem
    skin: KnownSkin
    truth: State
    parameters: FaceParameters
    frames: Tensor
    landmarks: Tensor


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


@pytest.fixture(scope="module")
def scene(model: FaceModel) -> Scene:
    generator = torch.Generator().manual_seed(0)
    spots = torch.rand(1, 3, 48, 48, generator=generator)
    spots = torch.nn.functional.interpolate(spots, size=(256, 256), mode="bicubic")[0] - 0.5
    reflectance = (torch.tensor([0.75, 0.55, 0.45])[:, None, None] * (1 + 0.3 * spots)).clamp(0.1, 1)
    actor = replace(make_actor(model), reflectance=reflectance)
    parameters = make_parameters(model, FRAMES, seed=3)
    parameters = parameters.replace(rotation=0.6 * parameters.rotation, expression=0.8 * parameters.expression)
    frames = ConditioningRenderer(model, actor, CAMERA)(parameters)[:, :3].permute(0, 2, 3, 1)
    truth = State(axis_angle_to_matrix(parameters.rotation), parameters.translation, parameters.expression)
    problem = landmark_problem(model.landmarks(model.vertices), model, CAMERA, TrackerSettings())
    landmarks = energy.project_landmarks(placed_landmarks(problem, truth), CAMERA)
    return Scene(problem, known(model, reflectance, parameters), truth, parameters, frames, landmarks)


def known(model: FaceModel, reflectance: Tensor, parameters: FaceParameters) -> KnownSkin:
    settings = TrackerSettings()
    points = sparse_skin(model, settings)
    texture_place = points(model.uv[None]) * 256
    albedo = skin_samples.look_up(reflectance[None], texture_place)[0]
    return KnownSkin(
        points=points,
        neutral=points(model.vertices[None])[0],
        basis=points(model.expression_basis),
        albedo=albedo,
        reliable=torch.ones(len(albedo), dtype=torch.bool),
        usual=parameters.illumination.mean(0, keepdim=True),
        steadiness=settings.light_steadiness,
        weight=settings.photo_weight * 468 / len(albedo),
    )


def found_from(scene: Scene, model: FaceModel, landmarks: Tensor) -> tuple[State, State, PhotoModel]:
    """Fit landmarks (T, 468, 2) alone and with E_photo; return both states, and E_photo at the second."""
    placed, distance = placed_landmarks(scene.problem, scene.truth), scene.truth.translation[:, None, 2:]
    depth = (placed[..., 2:] - distance) * CAMERA.focal / distance
    start = solve(scene.problem, landmarks, initial_state(scene.problem, torch.cat([landmarks, depth], -1)), FIT)
    picture = sample_picture(scene.frames, start, model.vertices, scene.skin.points, model, CAMERA)
    refined, photo = refine_frames(scene.problem, scene.skin, picture, landmarks, start, REFINE)
    return start, refined, photo


def turn_error(found: State, scene: Scene) -> Tensor:
    """Mean angle between fitted and true rotations, degrees."""
    trace = (found.rotation.transpose(-1, -2) @ scene.truth.rotation).diagonal(dim1=-1, dim2=-2).sum(-1)
    return torch.rad2deg(torch.acos(((trace - 1) / 2).clamp(-1, 1))).mean()


def deformation_error(found: State, scene: Scene) -> Tensor:
    """Mean distance (mm) of the landmarks of the unposed face: coefficients of neighbouring shapes may stand for each other."""
    off = torch.tensordot(found.expression - scene.truth.expression, scene.problem.basis, dims=1)
    return energy.length(off).mean()


def landmark_error(found: State, scene: Scene) -> Tensor:
    """Mean distance of the landmarks from their true places, pixels."""
    return energy.length(energy.project_landmarks(placed_landmarks(scene.problem, found), CAMERA) - scene.landmarks).mean()


def placed_landmarks(problem: Problem, state: State) -> Tensor:
    """Place the landmarks of a state in the camera: (T, 468, 3) mm."""
    return energy.place(energy.deform(problem.neutral, problem.basis, state.expression), state.rotation, state.translation)[1]


def noisy(landmarks: Tensor, pixels: float) -> Tensor:
    return landmarks + pixels * torch.randn(landmarks.shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("pixels", [0.5, 1.0])
@pytest.mark.parametrize(("biased", "shift"), [([], 0.0), (BROWS, -3.0), (CHIN, 3.0)], ids=["noise", "brows", "chin"])
@pytest.mark.parametrize(("weight", "left"), [(TrackerSettings().photo_weight, 0.97), (3.0, 0.8)], ids=["shipped", "strong"])
def test_the_image_corrects_landmarks(
    scene: Scene, model: FaceModel, pixels: float, biased: list[int], shift: float, weight: float, left: float
) -> None:
    """Fit noisy landmarks, some of them 3 pixels too high or too low: at most the share ``left`` of the error remains."""
    landmarks = noisy(scene.landmarks, pixels)
    landmarks[:, biased, 1] += shift
    skin = replace(scene.skin, weight=weight * len(scene.problem.neutral) / len(scene.skin.albedo))
    alone, refined, _ = found_from(scene._replace(skin=skin), model, landmarks)
    for error in (turn_error, deformation_error, landmark_error):
        assert error(refined, scene) <= left * error(alone, scene), error.__name__


def test_light_is_found_with_pose_and_expression(scene: Scene, model: FaceModel) -> None:
    _, _, photo = found_from(scene, model, noisy(scene.landmarks, 0.5))
    normal = torch.nn.functional.normalize(torch.randn(FRAMES, 400, 3, generator=torch.Generator().manual_seed(2)), dim=-1)
    normal[..., 2] = -normal[..., 2].abs()
    found, wanted = (irradiance(normal, light) for light in (photo.light, scene.parameters.illumination))
    assert (found - wanted).abs().mean() <= 0.02 * wanted.mean()


def test_an_object_before_the_face_loses_its_weight(scene: Scene, model: FaceModel) -> None:
    clean = noisy(scene.landmarks, 0.5)
    covered = scene.frames.clone()
    covered[:, :, 118:126] = torch.tensor([20, 15, 10], dtype=torch.uint8)  # a strand of hair from top to bottom
    alone, refined, photo = found_from(scene._replace(frames=covered), model, clean)
    _, _, free = found_from(scene, model, clean)
    head = scene.skin.points(model.mesh(make_actor(model), scene.parameters))
    x = project(head_to_camera(head, scene.parameters.rotation, scene.parameters.translation), CAMERA)[..., 0]
    under = (x > 119.5) & (x < 124.5) & (free.weight > 0.3)
    assert under.sum() > 100
    assert photo.weight[under].max() < 0.02
    assert turn_error(refined, scene) <= turn_error(alone, scene)


def test_equations_are_the_derivative_of_the_energy(model: FaceModel) -> None:
    """Compare with automatic differentiation on a picture of linear brightness, where interpolation is exact."""
    parameters = make_parameters(model, 2, seed=4)
    parameters = parameters.replace(translation=1.3 * parameters.translation)  # all of the head in the picture
    state = State(axis_angle_to_matrix(parameters.rotation), parameters.translation, parameters.expression)
    ramp = torch.tensor([0.2, 0.0011, 0.0007])
    x, y = torch.arange(256) + 0.5, torch.arange(256) + 0.5
    plane = ramp[0] + ramp[1] * x[None, :] + ramp[2] * y[:, None]
    problem = landmark_problem(model.landmarks(model.vertices), model, CAMERA, TrackerSettings())
    skin = known(model, torch.full((3, 256, 256), 0.6), parameters)
    picture = sample_picture(torch.zeros(2, 256, 256, 3, dtype=torch.uint8), state, model.vertices, skin.points, model, CAMERA)
    picture = replace(picture, images=plane.expand(2, 3, -1, -1))
    found = linearise(problem, skin, picture, picture.weight, state)

    unit, frame = 0.6 / 100, 1
    neutral, basis = skin.neutral.double(), skin.basis.double()
    rotation, translation = state.rotation[frame].double(), state.translation[frame].double()

    def brightness(change: Tensor) -> Tensor:
        head = neutral + torch.tensordot(state.expression[frame].double() + change[6:], basis, dims=1)
        turned = head @ (axis_angle_to_matrix(change[:3]) @ rotation).T
        camera_x, camera_y, z = (turned * turned.new_tensor([1, -1, -1]) + translation + change[3:6] * translation[2]).unbind(-1)
        return (ramp[0] + ramp[1] * (CAMERA.focal * camera_x / z + 128) + ramp[2] * (CAMERA.focal * camera_y / z + 128)) / unit

    zero = torch.zeros(6 + len(basis), dtype=torch.float64)
    derivative = torch.func.jacfwd(brightness)(zero)
    normal = (picture.normal[frame] @ state.rotation[frame].T) * torch.tensor([1.0, -1.0, -1.0])
    wanted = (0.6 * irradiance(normal[None], found.light[frame : frame + 1]))[0].mean(-1).double() / unit
    residual = wanted - brightness(zero)
    weight = picture.weight[frame].double() / (1 + (residual / BRIGHTNESS_SCALE) ** 2) ** 2
    torch.testing.assert_close(found.weight[frame].double(), weight, atol=1e-3, rtol=1e-3)
    weighted = (skin.weight * weight[:, None] * derivative).T
    torch.testing.assert_close(found.quadratic.curvature[frame].double(), weighted @ derivative, atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(found.quadratic.slope[frame].double(), weighted @ residual, atol=1e-1, rtol=2e-3)


def test_energy_falls(scene: Scene, model: FaceModel) -> None:
    """Compare E_photo before and after, under the final weights and light."""
    landmarks = noisy(scene.landmarks, 1.0)
    start, refined, photo = found_from(scene, model, landmarks)
    picture = sample_picture(scene.frames, start, model.vertices, scene.skin.points, model, CAMERA)

    def photometric_energy(state: State) -> Tensor:
        points = energy.deform(scene.skin.neutral, scene.skin.basis, state.expression)
        _, placed = energy.place(points, state.rotation, state.translation)
        seen = skin_samples.look_up(picture.images[:, :3], energy.project_landmarks(placed, CAMERA)).mean(-1)
        normal = (picture.normal @ state.rotation.transpose(-1, -2)) * torch.tensor([1.0, -1.0, -1.0])
        wanted = (scene.skin.albedo * irradiance(normal, photo.light)).mean(-1)
        return energy.photometric_energy(wanted - seen, photo.weight)

    assert (photometric_energy(refined) < photometric_energy(start)).float().mean() > 0.9
