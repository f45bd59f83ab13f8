"""The numba backend of the solver against the torch backend."""

from __future__ import annotations

from dataclasses import fields
from importlib import util

import pytest
import torch

from lit_reenact.live.driver import calibrate
from lit_reenact.tracking.bounded_solver import bounded_minimum, single_frame_backend
from lit_reenact.tracking.landmark_term import normal_equations
from lit_reenact.tracking.schedule import FIT, REST, SETTLE
from lit_reenact.tracking.shape import with_true_depth
from lit_reenact.tracking.solver import solve_chunk, step
from lit_reenact.tracking.state import initial_state
from tests.lit_reenact.live.conftest import SIZE, Scene, scene

__all__ = ["scene"]


@pytest.mark.parametrize("pose", [True, False])
def test_a_step_is_the_same_with_both_backends(scene: Scene, pose: bool) -> None:
    pytest.importorskip("numba")
    assert single_frame_backend() is not bounded_minimum
    driver = calibrate(scene.points[:20], SIZE, SIZE, 30.0, "builtin", scene.track)
    bounds = driver.problem.bounds
    held = 0
    for number in (3, 33, 55):
        seen = driver.to_view(scene.points[number : number + 1])[:, :468]
        state = initial_state(driver.problem, with_true_depth(seen))
        model = normal_equations(driver.problem, state, seen[..., :2], 8.0)
        expected = step(driver.problem, state, model, pose)
        compiled = step(driver.problem, state, model, pose, single_frame_backend())
        for part in fields(expected):
            torch.testing.assert_close(getattr(compiled, part.name), getattr(expected, part.name), atol=2e-3, rtol=1e-4)
        held += int(((compiled.expression[0] == bounds[:, 0]) | (compiled.expression[0] == bounds[:, 1])).sum())
    assert held > 10  # or the bounds were not tried


def test_whole_schedules_give_the_same_frames_with_both_backends(scene: Scene) -> None:
    """All stages of live tracking, on several frames at once."""
    pytest.importorskip("numba")
    driver = calibrate(scene.points[:20], SIZE, SIZE, 30.0, "builtin", scene.track)
    seen = driver.to_view(scene.points[20:28])[:, :468]
    start = initial_state(driver.problem, with_true_depth(seen))
    expected, compiled = (
        solve_chunk(driver.problem, seen[..., :2], start, FIT + SETTLE + REST, minimise=backend)
        for backend in (bounded_minimum, single_frame_backend())
    )
    for part in fields(expected):
        torch.testing.assert_close(getattr(compiled, part.name), getattr(expected, part.name), atol=2e-3, rtol=1e-4)


def test_torch_is_the_backend_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    assert single_frame_backend() is bounded_minimum
