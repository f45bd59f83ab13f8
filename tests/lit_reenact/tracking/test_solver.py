"""The solver on projected landmarks of a known motion of the built-in model."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lit_reenact.core.facemesh import FACE_POINTS, JAW_TIP, NOSE_BRIDGE
from lit_reenact.core.geometry import axis_angle_to_matrix
from lit_reenact.core.schema import Camera, FaceParameters
from lit_reenact.face import FaceModel, builtin_model
from lit_reenact.tracking import energy
from lit_reenact.tracking.footage import Footage
from lit_reenact.tracking.landmark_term import jacobian, normal_equations, residuals
from lit_reenact.tracking.problem import Problem, landmark_problem, landmark_weights, lift_by_skin
from lit_reenact.tracking.schedule import FIT, REST, Stage
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import fit_landmarks, smooth_shape
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.solver import solve
from lit_reenact.tracking.state import State, initial_state
from tests.factories import make_parameters

CAMERA = Camera(focal=4.5 * 256, width=256, height=256)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


def known_motion(model: FaceModel, frames: int) -> FaceParameters:
    """Make a smooth motion within the ties of the coefficients."""
    parameters = make_parameters(model, frames, seed=3)
    names = model.expression_names
    close, jaw = names.index("mouthClose"), names.index("jawOpen")
    expression = parameters.expression.clone()
    expression[:, close] = torch.minimum(expression[:, close], expression[:, jaw])
    return parameters.replace(expression=expression)


def landmarks_of(model: FaceModel, parameters: FaceParameters) -> Tensor:
    """Project landmarks (T, 468, 3) as MediaPipe would: pixels, and exaggerated depth in the same unit."""
    points = energy.deform(model.landmarks(model.vertices), model.at_landmarks(model.expression_basis), parameters.expression)
    _, placed = energy.place(points, axis_angle_to_matrix(parameters.rotation), parameters.translation)
    depth = (placed[..., 2:] - parameters.translation[:, None, 2:]) * CAMERA.focal / parameters.translation[:, None, 2:] / 0.8
    return torch.cat([energy.project_landmarks(placed, CAMERA), depth], -1)


def problem_of(model: FaceModel, prior: float) -> Problem:
    return landmark_problem(model.landmarks(model.vertices), model, CAMERA, TrackerSettings(expression_prior=prior))


def angle_between(found: Tensor, known: Tensor) -> Tensor:
    """Degrees between rotation matrices (T, 3, 3)."""
    trace = (found.transpose(-1, -2) @ known).diagonal(dim1=-1, dim2=-2).sum(-1)
    return torch.rad2deg(torch.acos(((trace - 1) / 2).clamp(-1, 1)))


def track_landmarks(problem: Problem, points: Tensor) -> State:
    start = initial_state(problem, points * points.new_tensor([1, 1, 0.8]))
    return solve(problem, points[..., :2], start, FIT)


def test_jacobian_is_the_derivative(model: FaceModel) -> None:
    problem = problem_of(model, 1.0)
    double = Problem(*(v.double() if isinstance(v, Tensor) and v.is_floating_point() else v for v in vars(problem).values()))
    parameters = known_motion(model, 1)
    state = State(
        axis_angle_to_matrix(parameters.rotation.double()), parameters.translation.double(), parameters.expression.double()
    )
    unit = energy.residual_unit(double.neutral, state.translation, CAMERA)

    def projected(change: Tensor) -> Tensor:
        points = energy.deform(double.neutral, double.basis, state.expression + change[6:])
        rotation = axis_angle_to_matrix(change[None, :3]) @ state.rotation
        _, placed = energy.place(points, rotation, state.translation + change[3:6] * state.translation[:, 2:])
        return energy.project_landmarks(placed, CAMERA)[0] / unit

    zero = torch.zeros(6 + len(double.basis), dtype=torch.float64)
    expected = torch.func.jacfwd(projected)(zero)
    torch.testing.assert_close(jacobian(double, state)[0], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("noise", "degrees", "pixels"), [(0.0, 0.1, 0.05), (0.5, 0.6, 0.25)])
def test_known_motion_is_found(model: FaceModel, noise: float, degrees: float, pixels: float) -> None:
    parameters = known_motion(model, 60)
    clean = landmarks_of(model, parameters)
    points = clean.clone()
    points[..., :2] += noise * torch.randn(points[..., :2].shape, generator=torch.Generator().manual_seed(1))
    problem = problem_of(model, prior=0.01 if noise == 0 else TrackerSettings().expression_prior)
    state = track_landmarks(problem, points)

    assert angle_between(state.rotation, axis_angle_to_matrix(parameters.rotation)).mean() <= degrees
    _, placed = energy.place(energy.deform(problem.neutral, problem.basis, state.expression), state.rotation, state.translation)
    off = (energy.project_landmarks(placed, CAMERA) - clean[..., :2]).norm(dim=-1)
    assert off.mean() <= pixels


def test_frames_do_not_depend_on_each_other(model: FaceModel) -> None:
    points = landmarks_of(model, known_motion(model, 12))
    problem = problem_of(model, 30.0)
    together, alone = track_landmarks(problem, points), track_landmarks(problem, points[7:8])
    torch.testing.assert_close(together.expression[7:8], alone.expression, atol=1e-5, rtol=0)
    again = track_landmarks(problem, points)
    torch.testing.assert_close(together.expression, again.expression, atol=1e-5, rtol=0)


def test_outliers_lose_their_weight(model: FaceModel) -> None:
    parameters = known_motion(model, 8)
    points = landmarks_of(model, parameters)
    points[:, ::40, 0] += 30
    problem = problem_of(model, 1.0)
    start = initial_state(problem, points * points.new_tensor([1, 1, 0.8]))
    known = axis_angle_to_matrix(parameters.rotation)
    trusting, robust = (
        solve(problem, points[..., :2], start, (Stage(1, math.inf), Stage(4, scale))) for scale in (math.inf, 5.0)
    )
    assert angle_between(robust.rotation, known).mean() < 0.5 * angle_between(trusting.rotation, known).mean()


def test_coefficients_keep_bounds_and_ties(model: FaceModel) -> None:
    points = landmarks_of(model, known_motion(model, 20))
    points[..., :2] += 3 * torch.randn(points[..., :2].shape, generator=torch.Generator().manual_seed(2))
    state = track_landmarks(problem_of(model, 0.1), points)
    low, high = model.expression_bounds.unbind(-1)
    assert bool(((state.expression >= low) & (state.expression <= high)).all())
    names = model.expression_names
    assert bool((state.expression[:, names.index("mouthClose")] <= state.expression[:, names.index("jawOpen")] + 1e-6).all())


def test_the_jaw_travels_behind_closed_lips(model: FaceModel) -> None:
    """JawOpen and mouthClose rise together: the lips stay closed, which must not hold the jaw."""
    parameters = known_motion(model, 40)
    names = model.expression_names
    travel = 0.3 + 0.3 * torch.sin(torch.arange(40) / 5)
    expression = torch.zeros_like(parameters.expression)
    expression[:, [names.index("jawOpen"), names.index("mouthClose")]] = travel[:, None]
    state = track_landmarks(problem_of(model, 1.0), landmarks_of(model, parameters.replace(expression=expression)))
    assert (state.expression[:, names.index("jawOpen")] - travel).abs().mean() < 0.05


def test_lift_of_the_chin_by_other_shapes_than_the_jaw() -> None:
    """Four shapes by hand: the jaw, a lift of the whole head, of the chin's skin alone, and of the whole lower face."""
    basis = torch.zeros(4, FACE_POINTS, 3)
    basis[0, JAW_TIP, 1] = -20.0
    basis[1, :, 1] = 5.0
    basis[2, JAW_TIP, 1] = 2.0
    half = torch.arange(FACE_POINTS) % 2 == 0
    basis[3, half, 0], basis[3, [*JAW_TIP, *NOSE_BRIDGE], 0] = 8.0, 0.0
    basis[3, JAW_TIP, 1] = 2.0
    lift = lift_by_skin(basis, torch.tensor([True, False, False, False]))
    usual = float(basis[3].square().sum(-1).mean().sqrt())
    assert usual > 4
    torch.testing.assert_close(lift, torch.tensor([0.0, 0.0, 2.0, 2.0 * 2.0 / usual]))


def test_energy_falls_to_a_minimum_on_the_bounds(model: FaceModel) -> None:
    """Check the conditions of Karush, Kuhn and Tucker: no small change within the bounds lowers the energy."""
    points = landmarks_of(model, known_motion(model, 6))
    points[..., :2] += torch.randn(points[..., :2].shape, generator=torch.Generator().manual_seed(4))
    problem = problem_of(model, 30.0)
    start = initial_state(problem, points * points.new_tensor([1, 1, 0.8]))
    state = solve(problem, points[..., :2], start, (Stage(12, math.inf),))

    unit = energy.residual_unit(problem.neutral, state.translation, CAMERA)[:, None]

    def jaw(expression: Tensor) -> Tensor:
        """Energy of the vector from nose to chin: the jaw alone moves the chin, all shapes move the nose."""
        bone = expression * torch.tensor([name.startswith("jaw") for name in model.expression_names])
        chin, nose = (
            residuals(problem, State(state.rotation, state.translation, e), points[..., :2])[:, where].mean(1)
            for e, where in ((bone, JAW_TIP), (expression, NOSE_BRIDGE))
        )
        return problem.jaw_weight * (chin - nose).square().sum(-1)

    def total(expression: Tensor) -> Tensor:
        residual = residuals(problem, State(state.rotation, state.translation, expression), points[..., :2])
        above, below = problem.gaps
        weight = problem.gap_weight * energy.contact_weight((points[:, above, :2] - points[:, below, :2]).norm(dim=-1) / unit)
        gaps = (weight * (residual[:, above] - residual[:, below]).square().sum(-1)).sum(-1)
        shape = energy.landmark_energy(residual, problem.landmark_weight) + energy.prior_energy(expression, problem.prior)
        return shape + gaps + jaw(expression)

    least = total(state.expression)
    low, high = problem.bounds.unbind(-1)
    tied = {model.expression_names.index(name) for name in ("mouthClose", "jawOpen")}
    for k in set(range(len(low))) - tied:
        for amount in (-0.02, 0.02):
            changed = state.expression.clone()
            changed[:, k] = (changed[:, k] + amount).clamp(low[k], high[k])
            assert bool((total(changed) >= least - 0.05).all()), model.expression_names[k]


def test_a_pull_that_balances_the_landmarks_holds_the_coefficients(model: FaceModel) -> None:
    points = landmarks_of(model, known_motion(model, 6))
    problem = problem_of(model, 30.0)
    state = track_landmarks(problem, points)
    elsewhere = State(state.rotation, state.translation, (0.9 * state.expression + 0.05).clamp_min(0.02))
    slope = normal_equations(problem, elsewhere, points[..., :2], REST[0].robust_scale).slope
    held = solve(problem, points[..., :2], elsewhere, REST, pull=-slope[:, 6:])
    torch.testing.assert_close(held.expression, elsewhere.expression, atol=1e-4, rtol=0)
    assert (solve(problem, points[..., :2], elsewhere, REST).expression - elsewhere.expression).abs().mean() > 0.02


def test_weights_average_to_one_and_favour_rims(model: FaceModel) -> None:
    weight = landmark_weights(3.0)
    assert weight.mean() == pytest.approx(1)
    lid, lip, brow, cheek = weight[[159, 13, 105, 50]]
    assert lid == lip == brow == pytest.approx(3 * float(cheek))
    nose, lid, cheek = landmark_weights(3.0, bone_weight=4.0)[[6, 159, 50]]
    assert nose == pytest.approx(4 * float(cheek))
    assert lid == pytest.approx(3 * float(cheek))


def test_whole_clip_is_found_with_its_neutral_face(model: FaceModel) -> None:
    """Fit landmarks alone, with a gap in them; a third of the frames show the neutral face."""
    parameters = known_motion(model, 150)
    calm = torch.arange(150) % 3 == 0
    parameters = parameters.replace(expression=parameters.expression * ~calm[:, None])
    points = landmarks_of(model, parameters)
    irises = torch.zeros(150, 10, 3)
    points = torch.cat([points, irises], 1)
    seen = torch.ones(150, dtype=torch.bool)
    seen[60:80] = False
    points[~seen] = torch.nan
    timing = Timing(seen, seen, torch.zeros_like(seen), fps=30.0, actor_frames=105)
    settings = TrackerSettings(pose_smoothing=0.0, expression_smoothing=0.0)
    footage = Footage(points, timing, model, CAMERA, settings)
    shape = smooth_shape(fit_landmarks(footage), footage)

    assert (shape.neutral - model.vertices).norm(dim=-1).mean() < 1.0  # mm
    assert angle_between(shape.rotation[seen], axis_angle_to_matrix(parameters.rotation[seen])).mean() < 1.0
    assert shape.error[seen].mean() < 0.6  # % of the outer-eye distance
    assert bool(shape.error[~seen].isnan().all())
    assert bool(shape.expression.isfinite().all())
