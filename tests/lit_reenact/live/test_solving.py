"""A step of one frame, compiled, against the solver of many."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch

from lit_reenact.live import solving
from lit_reenact.live.driver import calibrate
from lit_reenact.live.solving import step
from lit_reenact.tracking import solver
from lit_reenact.tracking.shape import with_true_depth
from tests.lit_reenact.live.conftest import SIZE, Scene


@pytest.mark.parametrize("pose", [True, False])
def test_it_is_the_step_of_the_solver(scene: Scene, pose: bool) -> None:
    pytest.importorskip("numba")
    assert solving.COMPILED
    driver = calibrate(scene.points[:20], SIZE, SIZE, 30.0, "builtin", scene.track)
    bounds = driver.problem.bounds
    held = 0
    for number in (3, 33, 55):
        seen = driver.in_view(scene.points[number : number + 1])[:, :468]
        state = solver.initial_state(driver.problem, with_true_depth(seen))
        curvature, slope = solver.normal_equations(driver.problem, state, seen[..., :2], 8.0)
        expected = solver.step(driver.problem, state, curvature.clone(), slope.clone(), pose)
        made = step(driver.problem, state, curvature, slope, pose)
        for part in fields(expected):
            torch.testing.assert_close(getattr(made, part.name), getattr(expected, part.name), atol=2e-3, rtol=1e-4)
        held += int(((made.expression[0] == bounds[:, 0]) | (made.expression[0] == bounds[:, 1])).sum())
    assert held > 10  # or the bounds were not tried
