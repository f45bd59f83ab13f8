"""Closed lips stay closed: in the neutral face, and in every frame that shows them closed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lit_reenact.core.facemesh import FACE_POINTS, LOWER_LIP_RIM, UPPER_LIP_RIM
from lit_reenact.core.schema import Camera
from lit_reenact.face import builtin_model
from lit_reenact.landmarks.measures import DEPTH_SCALE
from lit_reenact.tracking import energy
from lit_reenact.tracking.neutral import close_mouth, face_length, raise_jaw
from lit_reenact.tracking.problem import landmark_problem
from lit_reenact.tracking.schedule import FIT
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.solver import solve
from lit_reenact.tracking.state import initial_state
from lit_reenact.tracking.template import lip_opening

CAMERA = Camera(focal=4.5 * 256, width=256, height=256)
UPPER, LOWER = list(UPPER_LIP_RIM[1:-1]), list(LOWER_LIP_RIM[1:-1])


def test_an_open_neutral_mouth_is_closed_and_the_eyes_stay() -> None:
    neutral = builtin_model().vertices[:FACE_POINTS].clone()
    neutral[LOWER] -= torch.tensor([0.0, 3.0, 0.0])
    closed = close_mouth(neutral)
    torch.testing.assert_close(closed[UPPER], closed[LOWER], rtol=0, atol=1e-4)
    middle = (neutral[UPPER] + neutral[LOWER]) / 2
    torch.testing.assert_close(closed[UPPER], middle, rtol=0, atol=1e-4)
    upper_half = neutral[:, 1] > -20  # eyes, brows, forehead
    torch.testing.assert_close(closed[upper_half], neutral[upper_half], rtol=0, atol=1e-3)


def test_the_gap_is_fitted_where_no_shape_fits_the_lips() -> None:
    """Both lips lie 3 mm lower than any expression puts them, and the mouth is closed nevertheless."""
    model = builtin_model()
    neutral = close_mouth(model.landmarks(model.vertices))
    shown = neutral.clone()
    shown[UPPER + LOWER] -= torch.tensor([0.0, 3.0, 2.0])
    placed = shown[None] * shown.new_tensor([1.0, -1.0, -1.0]) + torch.tensor([0.0, 0.0, 1200.0])
    seen = energy.project_landmarks(placed, CAMERA)
    depth = (placed[..., 2:] - 1200.0) * CAMERA.focal / 1200.0
    openings = []
    for weight in (0.0, TrackerSettings().gap_weight):
        problem = replace(landmark_problem(neutral, model, CAMERA, TrackerSettings()), gap_weight=weight)
        state = solve(problem, seen, initial_state(problem, torch.cat([seen, depth], -1)), FIT)
        fitted = energy.deform(problem.neutral, problem.basis, state.expression)
        openings.append(float(lip_opening(fitted[..., :2])))
    assert openings[1] < 0.01
    assert openings[1] < 0.5 * openings[0]


def test_the_neutral_jaw_is_nearly_as_high_as_it_ever_is() -> None:
    """A person whose jaw travels behind closed lips, evenly from 0 to 0.5: the neutral head is brought to a twentieth of it."""
    model = builtin_model()
    names = model.expression_names
    mean, basis = model.landmarks(model.vertices), model.at_landmarks(model.expression_basis)
    lowering = basis[names.index("jawOpen")] + basis[names.index("mouthClose")]
    travel = torch.linspace(0, 0.5, 101)
    heads = mean + travel[:, None, None] * lowering
    seen = heads / torch.tensor([1.0, 1.0, DEPTH_SCALE])  # as MediaPipe exaggerates depth
    raised = raise_jaw(mean + 0.25 * lowering, seen, model)
    assert float(face_length(raised)) == pytest.approx(float(face_length(mean + 0.025 * lowering)), abs=2e-3)
    lips = (raised[UPPER] - raised[LOWER]).norm(dim=-1)
    assert lips.max() < 1.5  # mm
