"""The person's neutral mesh, and the pose and expression of every frame: their fit to landmarks, and smoothing over time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from lit_reenact.landmarks.measures import DEPTH_SCALE
from lit_reenact.tracking.correctives import fit_correctives, learn_correctives
from lit_reenact.tracking.footage import Footage
from lit_reenact.tracking.landmark_term import landmark_error
from lit_reenact.tracking.neutral import close_mouth, raise_jaw, refine_template
from lit_reenact.tracking.problem import Problem, landmark_problem
from lit_reenact.tracking.schedule import FIT, REST, SETTLE
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.solver import solve
from lit_reenact.tracking.state import State, clamp_expression, initial_state
from lit_reenact.tracking.template import fit_identity, subject_template

LEARNING_FRAMES = 1000
"""Maximum number of training frames that the person is learned from, so that memory does not grow with a video's length."""

TEMPLATE_ROUNDS, TEMPLATE_FRAMES = 2, 200
"""Number of refinements of the template, each followed by ``SETTLE``, and the maximum number of training frames for them."""

SPEECH_PREFIXES, BLINK_PREFIX = ("jaw", "mouth"), "eyeBlink"
"""Prefixes of the names of shapes that speech and blinks move within a few frames, so that smoothing would dull them."""


@dataclass(frozen=True)
class Fit:
    """Independent fits of the N frames with landmarks.

    Attributes:
        problem: fit to landmarks, with the person's neutral landmarks.
        identity: (K_identity,) coefficients nearest to the person.
        neutral: (V, 3) neutral mesh of the person, mm.
        state: pose and expression of the N frames.
        pull: (N, K_expression) direction of descent of E_photo at ``state``; 0 where landmarks alone were fitted.
    """

    problem: Problem
    identity: Tensor
    neutral: Tensor
    state: State
    pull: Tensor


@dataclass(frozen=True)
class Shape:
    """Geometry of T frames, interpolated in frames without landmarks.

    Errors are mean distances of the landmarks in % of the outer-eye distance, NaN in frames without landmarks.

    Attributes:
        neutral: (V, 3) neutral mesh of the person, mm.
        identity: (K_identity,) coefficients nearest to the person.
        rotation: (T, 3, 3) matrices of the head.
        translation: (T, 3) place of the head in the camera, mm.
        expression: (T, K_expression) coefficients.
        fitted_error: (T,) error before smoothing.
        error: (T,) error of this pose and expression.
        modes: (M, 468, 3) corrective modes of the person, mm.
        corrective: (T, M) coefficients of the corrective modes, 0 in frames without landmarks.
        corrected_error: (T,) error of this pose and expression with the corrective modes.
    """

    neutral: Tensor
    identity: Tensor
    rotation: Tensor
    translation: Tensor
    expression: Tensor
    fitted_error: Tensor
    error: Tensor
    modes: Tensor
    corrective: Tensor
    corrected_error: Tensor

    @property
    def state(self) -> State:
        """Pose and expression of the T frames."""
        return State(self.rotation, self.translation, self.expression)


def fit_landmarks(footage: Footage) -> Fit:
    """Fit template, pose and expression to landmarks alone.

    Raises:
        ReenactError: no training frame shows a face.

    Example:
        >>> shape = smooth_shape(fit_landmarks(footage), footage)
    """
    timing, model, settings = footage.timing, footage.model, footage.settings
    landmarks, training = footage.points[timing.seen, :FACE_POINTS], _count_training(timing)
    learn = spread_evenly(training, TEMPLATE_FRAMES)
    problem = landmark_problem(subject_template(landmarks[:training], model), model, footage.camera, settings)
    some = landmarks[learn]
    state = solve(problem, some[..., :2], initial_state(problem, with_true_depth(some)), FIT)
    for _ in range(TEMPLATE_ROUNDS):
        neutral = refine_template(problem, state, some[..., :2], settings.template_prior)
        problem = replace(problem, neutral=close_mouth(raise_jaw(neutral, some, model)))
        state = solve(problem, some[..., :2], state, SETTLE)
    state = solve(problem, landmarks[..., :2], initial_state(problem, with_true_depth(landmarks)), FIT + SETTLE)
    identity, neutral = fit_identity(problem.neutral, model, settings.identity_prior)
    return Fit(problem, identity, neutral, state, torch.zeros_like(state.expression))


def smooth_shape(fit: Fit, footage: Footage) -> Shape:
    """Smooth a fit over time and measure it, with and without corrective modes."""
    seen, problem, learn = footage.timing.seen, fit.problem, learning_frames(footage.timing)
    observed = footage.points[seen, :FACE_POINTS, :2]
    state = smooth_state(fit, footage)
    correctives = learn_correctives(problem, state[seen][learn], observed[learn])
    corrective, corrected = fit_correctives(problem, state[seen], observed, correctives)
    return Shape(
        neutral=fit.neutral,
        identity=fit.identity,
        rotation=state.rotation,
        translation=state.translation,
        expression=state.expression,
        fitted_error=_scatter(landmark_error(problem, fit.state, observed), seen, torch.nan),
        error=_scatter(landmark_error(problem, state[seen], observed), seen, torch.nan),
        modes=correctives.modes,
        corrective=_scatter(corrective, seen),
        corrected_error=_scatter(corrected, seen, torch.nan),
    )


def smooth_state(fit: Fit, footage: Footage) -> State:
    """Smooth the pose of all T frames, fit the expression again under it, then smooth the expression."""
    timing, seen = footage.timing, footage.timing.seen
    state = smooth_pose(fit.state, timing, footage.settings.pose_smoothing)
    rested = solve(fit.problem, footage.points[seen, :FACE_POINTS, :2], state[seen], REST, fit.pull)
    names = footage.model.expression_names
    coefficients = smooth_expression(_scatter(rested.expression, seen), timing, names, footage.settings)
    return State(state.rotation, state.translation, clamp_expression(fit.problem, coefficients))


def with_true_depth(landmarks: Tensor) -> Tensor:
    """Scale down the depth of landmarks (T, L, 3), which MediaPipe exaggerates."""
    return landmarks * landmarks.new_tensor([1, 1, DEPTH_SCALE])


def learning_frames(timing: Timing) -> Tensor:
    """Choose the training frames that the person is learned from: indices among the seen frames."""
    return spread_evenly(_count_training(timing), LEARNING_FRAMES)


def _count_training(timing: Timing) -> int:
    """Count the seen training frames."""
    return int(timing.seen[: timing.actor_frames].sum())


def smooth_pose(state: State, timing: Timing, strength: float) -> State:
    """Extend the state of the seen frames to all T: the pose is smoothed, expressions are only interpolated."""
    seen = timing.seen
    rotation = timing.smooth(_scatter(matrix_to_axis_angle(state.rotation), seen), strength)
    translation = timing.smooth(_scatter(state.translation, seen), strength)
    expression = timing.smooth(_scatter(state.expression, seen), 0.0)
    return State(axis_angle_to_matrix(rotation), translation, expression)


def smooth_expression(expression: Tensor, timing: Timing, names: tuple[str, ...], settings: TrackerSettings) -> Tensor:
    """Smooth coefficients (T, K) over time: brows and cheeks firmly, shapes of speech lightly, blinks the least."""
    swift, blink = (torch.tensor([name.startswith(start) for name in names]) for start in (SPEECH_PREFIXES, BLINK_PREFIX))
    strengths = (settings.swift_smoothing, settings.eye_smoothing, settings.expression_smoothing)
    result = torch.empty_like(expression)
    for shapes, strength in zip((swift, blink, ~(swift | blink)), strengths, strict=True):
        result[:, shapes] = timing.smooth(expression[:, shapes], strength)
    return result


def spread_evenly(count: int, most: int) -> Tensor:
    """Choose at most ``most`` of ``count`` frames, evenly spread: indices int64 (N,)."""
    return torch.linspace(0, count - 1, min(count, most)).round().long()


def _scatter(values: Tensor, seen: Tensor, elsewhere: float = 0.0) -> Tensor:
    """Put values (N, ...) of the seen frames into their places among all T: (T, ...)."""
    result = values.new_full((len(seen), *values.shape[1:]), elsewhere)
    result[seen] = values
    return result
