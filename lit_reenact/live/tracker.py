"""Online tracking: landmarks of one frame after the other to pose, expression and gaze, from the past alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from lit_reenact.live.driver import Driver
from lit_reenact.live.smoothing import OneEuroFilter, Steadiness
from lit_reenact.tracking.bounded_solver import single_frame_backend
from lit_reenact.tracking.gaze import gaze_angles, iris_centres, iris_plane_radius, rays_in_head
from lit_reenact.tracking.schedule import FIT, REST, SETTLE, Stage
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import BLINK_PREFIX, SPEECH_PREFIXES, with_true_depth
from lit_reenact.tracking.solver import solve_chunk
from lit_reenact.tracking.state import State, clamp_expression, initial_state

TURN, ACROSS, DEPTH = Steadiness(3.0, 30.0), Steadiness(3.0, 0.3), Steadiness(1.0, 0.05)
"""Smoothing of the pose: rotation (radians), place across the view, and depth (mm), which landmarks determine only vaguely."""

SPEECH, LIDS, OTHERS = Steadiness(8.0, 10.0), Steadiness(15.0, 20.0), Steadiness(4.0, 6.0)
"""Smoothing of expression coefficients: jaw and lips; blinks; brows, cheeks and nose."""

GAZE, SQUINT = Steadiness(6.0, 30.0), Steadiness(1.0, 0.0)
"""Smoothing of the common direction of the eyes, and of the difference between them (radians)."""

LOST = 0.5
"""Seconds without a face after which tracking starts again from the rigid pose."""


@dataclass(frozen=True)
class LiveMotion:
    """Motion of the driver in one frame, in the units of ``FaceParameters``.

    Attributes:
        rotation: (3,) axis-angle, radians.
        translation: (3,) mm.
        expression: (K,) coefficients.
        gaze: (4,) yaw and pitch of the left eye, then of the right eye, radians.
    """

    rotation: Tensor
    translation: Tensor
    expression: Tensor
    gaze: Tensor


class OnlineTracker:
    """Tracker of one known face, frame by frame.

    Each frame starts from the frame before. As offline, the pose is smoothed first and the expression is fitted under the
    smoothed pose, so that the expression does not explain what smoothing took from the pose.

    Args:
        driver: the person before the camera.

    Example:
        >>> tracker = OnlineTracker(calibrate(first_points, width, height, 30.0, "builtin"))
        >>> motion = tracker(points, time=0.033)
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        names = driver.model.expression_names
        self._radius = iris_plane_radius(driver.model)
        self._blinks = [names.index(f"{BLINK_PREFIX}{side}") for side in ("Left", "Right")]
        self._pose = OneEuroFilter([TURN] * 3 + [ACROSS] * 2 + [DEPTH])
        self._expression = OneEuroFilter([_steadiness(name) for name in names])
        self._gaze = OneEuroFilter([GAZE] * 2 + [SQUINT] * 2)
        self._closed_blink = TrackerSettings().closed_blink
        self._minimise = single_frame_backend()
        self._state: State | None = None
        self._time = 0.0
        self._measured_gaze = torch.zeros(2, 2)

    @torch.inference_mode()
    def __call__(self, points: Tensor, time: float) -> LiveMotion:
        """Track one frame.

        Args:
            points: (478, 3) landmarks in pixels of the camera's picture.
            time: time of the picture in seconds, later than that of the previous call.
        """
        seen = self.driver.to_view(points[None])
        seconds, self._time = max(time - self._time, 1e-3), time
        start = self._start(seen) if self._state is None or seconds > LOST else self._state
        state = self._solve(seen, SETTLE, start)
        pose = self._pose(torch.cat([matrix_to_axis_angle(state.rotation)[0], state.translation[0]]), seconds)
        steady = State(axis_angle_to_matrix(pose[None, :3]), pose[None, 3:], state.expression)
        rested = self._solve(seen, REST, steady)
        # The next frame starts from the measured pose: from the smoothed one a fast turn would be far away.
        self._state = State(state.rotation, state.translation, rested.expression)
        expression = clamp_expression(self.driver.problem, self._expression(rested.expression[0], seconds)[None])[0]
        return LiveMotion(pose[:3], pose[3:], expression, self._track_gaze(seen, steady, expression, seconds))

    def _start(self, seen: Tensor) -> State:
        for each in (self._pose, self._expression, self._gaze):
            each.forget()
        return self._solve(seen, FIT, initial_state(self.driver.problem, with_true_depth(seen[:, :FACE_POINTS])))

    def _solve(self, seen: Tensor, stages: tuple[Stage, ...], state: State) -> State:
        observed = seen[:, :FACE_POINTS, :2]
        return solve_chunk(self.driver.problem, observed, state, stages, minimise=self._minimise)

    def _track_gaze(self, seen: Tensor, state: State, expression: Tensor, seconds: float) -> Tensor:
        """Measure and smooth the gaze, (4,). A closed eye keeps the direction that it had before."""
        origin, direction = rays_in_head(iris_centres(seen), state.rotation, state.translation, self.driver.problem.camera)
        measured = gaze_angles(origin, direction, self.driver.eyeballs, self._radius)[0]  # (2 eyes, 2)
        is_open = expression[self._blinks] < self._closed_blink
        self._measured_gaze = torch.where(is_open[:, None], measured, self._measured_gaze)
        left, right = self._measured_gaze
        common, apart = self._gaze(torch.cat([left + right, left - right]) / 2, seconds).chunk(2)
        return torch.cat([common + apart, common - apart]) + self.driver.gaze_offset


def _steadiness(name: str) -> Steadiness:
    return SPEECH if name.startswith(SPEECH_PREFIXES) else LIDS if name.startswith(BLINK_PREFIX) else OTHERS
