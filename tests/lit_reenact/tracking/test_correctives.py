"""Corrective modes on a motion of the skin that no named expression explains."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix
from lit_reenact.core.schema import Camera
from lit_reenact.face import builtin_model
from lit_reenact.tracking import energy
from lit_reenact.tracking.correctives import fit_correctives, learn_correctives
from lit_reenact.tracking.landmark_term import landmark_error
from lit_reenact.tracking.problem import Problem, landmark_problem
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.state import State
from tests.factories import make_parameters

CAMERA = Camera(focal=4.5 * 256, width=256, height=256)
FRAMES, LEARNED = 80, 50


def odd_face() -> tuple[Problem, State, Tensor, Tensor]:
    """Landmarks of a moving face with a dent in the forehead, ``amount`` (T,) mm deep, which its state does not describe."""
    model = builtin_model()
    mean = model.landmarks(model.vertices)
    problem = landmark_problem(mean, model, CAMERA, TrackerSettings())
    parameters = make_parameters(model, FRAMES, seed=1)
    state = State(axis_angle_to_matrix(parameters.rotation), parameters.translation, parameters.expression)
    amount = 4 * torch.sin(torch.arange(FRAMES) / 3)
    dent = torch.exp(-(mean - mean[151]).square().sum(-1) / 20**2)[:, None] * torch.tensor([0.3, 1.0, 0.0])
    points = energy.deform(problem.neutral, problem.basis, state.expression) + amount[:, None, None] * dent
    _, placed = energy.place(points, state.rotation, state.translation)
    return problem, state, energy.project_landmarks(placed, CAMERA), amount


def test_one_motion_is_one_mode_and_is_found_again_in_other_frames() -> None:
    problem, state, seen, amount = odd_face()
    correctives = learn_correctives(problem, state[:LEARNED], seen[:LEARNED], count=3)
    assert correctives.deviation[0] > 10 * correctives.deviation[1]
    coefficients, left = fit_correctives(problem, state[LEARNED:], seen[LEARNED:], correctives)
    r = torch.corrcoef(torch.stack([coefficients[:, 0], amount[LEARNED:]]))[0, 1]
    assert r.abs() > 0.99
    assert left.mean() < 0.15 * landmark_error(problem, state[LEARNED:], seen[LEARNED:]).mean()


def test_an_unused_mode_stays_at_rest() -> None:
    problem, state, seen, _ = odd_face()
    correctives = learn_correctives(problem, state[:LEARNED], seen[:LEARNED], count=3)
    noise = torch.randn(seen.shape, generator=torch.Generator().manual_seed(0))
    coefficients, _ = fit_correctives(problem, state, seen + 0.5 * noise, correctives)
    assert coefficients[:, 2].abs().max() < 0.1 * coefficients[:, 0].abs().max()
