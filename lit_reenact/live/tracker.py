"""Landmarks of one picture after the other to pose, expression and gaze, from what is past alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from lit_reenact.face.topology import FACE_POINTS
from lit_reenact.live.driver import Driver
from lit_reenact.live.smoothing import OneEuroFilter, Steadiness
from lit_reenact.live.solving import step
from lit_reenact.tracking.gaze import iris_centres, iris_plane_radius, look, rays_in_head
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import BLINK, FIT, REST, SETTLE, SWIFT, with_true_depth
from lit_reenact.tracking.solver import Stage, State, admissible, initial_state, normal_equations

TURN, ACROSS, DEPTH = Steadiness(3.0, 30.0), Steadiness(3.0, 0.3), Steadiness(1.0, 0.05)
"""Of the pose: its rotation in radians, and its place in mm; how far away a head is, landmarks tell only vaguely."""

SPEECH, LIDS, OTHERS = Steadiness(8.0, 10.0), Steadiness(15.0, 20.0), Steadiness(4.0, 6.0)
"""Of expression coefficients: jaw and lips, blinks, and brows, cheeks and nose."""

GAZE, SQUINT = Steadiness(6.0, 30.0), Steadiness(1.0, 0.0)
"""Of the common direction of the eyes, radians, and of the difference between them."""

LOST = 0.5
"""Seconds without a face after which it is looked for anew, wherever it is then."""


@dataclass(frozen=True)
class Motion:
    """Of one frame: rotation (3,) axis-angle, translation (3,) mm, expression (K,), gaze (4,); as in ``FaceParameters``."""

    rotation: Tensor
    translation: Tensor
    expression: Tensor
    gaze: Tensor


class OnlineTracker:
    """Follows one face.

    Each frame starts from the one before. As off-line, the pose is smoothed first, and the expression is fitted under the
    smoothed pose, so that nothing of what was smoothed away is left to the expression.

    Args:
        driver: whose face it is.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        names = driver.model.expression_names
        self._radius = iris_plane_radius(driver.model)
        self._blinks = [names.index(f"{BLINK}{side}") for side in ("Left", "Right")]
        self._pose = OneEuroFilter([TURN] * 3 + [ACROSS] * 2 + [DEPTH])
        self._expression = OneEuroFilter([_steadiness(name) for name in names])
        self._gaze = OneEuroFilter([GAZE] * 2 + [SQUINT] * 2)
        self._closed_blink = TrackerSettings().closed_blink
        self._state: State | None = None
        self._time = 0.0
        self._measured_gaze = torch.zeros(2, 2)

    @torch.inference_mode()
    def __call__(self, points: Tensor, time: float) -> Motion:
        """What the face does.

        Args:
            points: (478, 3) landmarks in pixels of the picture.
            time: when it was taken, seconds; later than the one before.
        """
        seen = self.driver.in_view(points[None])
        seconds, self._time = max(time - self._time, 1e-3), time
        start = self._begin(seen) if self._state is None or seconds > LOST else self._state
        state = self._solved(seen, SETTLE, start)
        pose = self._pose(torch.cat([matrix_to_axis_angle(state.rotation)[0], state.translation[0]]), seconds)
        steady = State(axis_angle_to_matrix(pose[None, :3]), pose[None, 3:], state.expression)
        rested = self._solved(seen, REST, steady)
        # The next frame starts from what was measured here: from what was smoothed, a fast turn would be far away.
        self._state = State(state.rotation, state.translation, rested.expression)
        expression = admissible(self.driver.problem, self._expression(rested.expression[0], seconds)[None])[0]
        return Motion(pose[:3], pose[3:], expression, self._look(seen, steady, expression, seconds))

    def _begin(self, seen: Tensor) -> State:
        for each in (self._pose, self._expression, self._gaze):
            each.forget()
        return self._solved(seen, FIT, initial_state(self.driver.problem, with_true_depth(seen[:, :FACE_POINTS])))

    def _solved(self, seen: Tensor, stages: tuple[Stage, ...], state: State) -> State:
        problem, observed = self.driver.problem, seen[:, :FACE_POINTS, :2]
        for stage in stages:
            for _ in range(stage.iterations):
                state = step(problem, state, *normal_equations(problem, state, observed, stage.robust_scale), stage.pose)
        return state

    def _look(self, seen: Tensor, state: State, expression: Tensor, seconds: float) -> Tensor:
        """Gaze (4,). A closed eye looks where it looked before."""
        origin, direction = rays_in_head(iris_centres(seen), state.rotation, state.translation, self.driver.problem.camera)
        measured = look(origin, direction, self.driver.eyeballs, self._radius)[0]  # (2 eyes, 2)
        is_open = expression[self._blinks] < self._closed_blink
        self._measured_gaze = torch.where(is_open[:, None], measured, self._measured_gaze)
        left, right = self._measured_gaze
        common, apart = self._gaze(torch.cat([left + right, left - right]) / 2, seconds).chunk(2)
        return torch.cat([common + apart, common - apart]) + self.driver.gaze_offset


def _steadiness(name: str) -> Steadiness:
    return SPEECH if name.startswith(SWIFT) else LIDS if name.startswith(BLINK) else OTHERS
