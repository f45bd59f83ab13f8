"""The person's neutral mesh, and the pose and expression of every frame: what landmarks tell of them, and their smoothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, FACE_POINTS, MOUTH, OPENINGS, RIMS, around, mirrored
from lit_reenact.landmarks.measures import BONY, DEPTH_SCALE
from lit_reenact.tracking import energy
from lit_reenact.tracking.correctives import fit_correctives, learn_correctives
from lit_reenact.tracking.neutral import ROBUST_SCALE, close_mouth, raise_jaw, refine_template
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.solver import (
    JAW_TIP,
    NOSE_BRIDGE,
    Problem,
    Stage,
    State,
    admissible,
    initial_state,
    landmark_error,
    solve,
)
from lit_reenact.tracking.template import fit_identity, subject_template

LEARNING_FRAMES = 1000
"""Training frames that the person is learned from at most, so that memory does not grow with the length of a video."""

FIT = (
    Stage(iterations=1, robust_scale=float("inf")),  # a mouth wide open must not be taken for outliers
    Stage(iterations=2, robust_scale=ROBUST_SCALE),
)
"""Pose and expression from the rigid start."""

SETTLE = (Stage(iterations=1, robust_scale=ROBUST_SCALE),)
"""The same after the template has moved a little."""

TEMPLATE_ROUNDS, TEMPLATE_FRAMES = 2, 200
"""Times that the template is refined, with pose and expression settling in between, and training frames for it at most."""

REST = (Stage(iterations=1, robust_scale=ROBUST_SCALE, pose=False),)
"""Expression under the smoothed pose."""

TIES = (("mouthClose", "jawOpen"),)
"""Coefficients of which the first cannot exceed the second."""

JAW_SAY, CHIN_RELUCTANCE = 1 / 6, 1.0
"""How firmly the jaw alone moves the chin, in units of the prior on coefficients: ``Problem.jaw_weight``, and the weight of
``lift_by_skin`` squared. Else pressed lips, or a smile, which lift the chin in many a model, take its travel over.
"""

SWIFT, BLINK = ("jaw", "mouth"), "eyeBlink"
"""How the names of shapes begin that speech and blinks move within a few frames: smoothing would dull them."""

BROWS = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107)
"""FaceMesh landmarks of the right brow; those of the left are their mirror images."""


@dataclass(frozen=True)
class Fit:
    """A fit of each of the N frames with landmarks on its own.

    Attributes:
        problem: the fit to landmarks; brings the person's neutral landmarks.
        identity: (K_identity,) the nearest identity coefficients.
        neutral: (V, 3) the person's neutral mesh, mm.
        state: of the N frames.
        pull: (N, K_expression) downhill slope of E_photo at ``state``; 0 where landmarks alone were fitted.
    """

    problem: Problem
    identity: Tensor
    neutral: Tensor
    state: State
    pull: Tensor


@dataclass(frozen=True)
class Shape:
    """Geometry of T frames; in frames without landmarks everything is interpolated.

    Attributes:
        neutral: (V, 3) the person's neutral mesh, mm.
        identity: (K_identity,) its nearest identity coefficients.
        rotation: (T, 3, 3) matrices.
        translation: (T, 3) mm.
        expression: (T, K_expression).
        fitted_error: (T,) mean landmark error in % of the outer-eye distance before smoothing, NaN without landmarks.
        error: (T,) as ``fitted_error``, of what stands here.
        modes: (M, 468, 3) corrective modes of the person, mm.
        corrective: (T, M) their coefficients, 0 without landmarks.
        corrected_error: (T,) as ``error``, with them.
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


def fit_landmarks(points: Tensor, timing: Timing, model: FaceModel, camera: Camera, settings: TrackerSettings) -> Fit:
    """Template, pose and expression from landmarks alone.

    Args:
        points: (T, 478, 3) landmarks in pixels, NaN where there are none.
        timing: of the T frames.
        model: face model.
        camera: of the clip.
        settings: see there.
    """
    landmarks = points[timing.seen, :FACE_POINTS]
    learn = spread_evenly(_training(timing), TEMPLATE_FRAMES)
    problem = landmark_problem(subject_template(landmarks[: _training(timing)], model), model, camera, settings)
    some = landmarks[learn]
    state = solve(problem, some[..., :2], initial_state(problem, with_true_depth(some)), FIT)
    for _ in range(TEMPLATE_ROUNDS):
        neutral = refine_template(problem, state, some[..., :2], settings.template_prior)
        problem = replace(problem, neutral=close_mouth(raise_jaw(neutral, some, model)))
        state = solve(problem, some[..., :2], state, SETTLE)
    state = solve(problem, landmarks[..., :2], initial_state(problem, with_true_depth(landmarks)), FIT + SETTLE)
    identity, neutral = fit_identity(problem.neutral, model, settings.identity_prior)
    return Fit(problem, identity, neutral, state, torch.zeros_like(state.expression))


def smooth_shape(fit: Fit, points: Tensor, timing: Timing, model: FaceModel, settings: TrackerSettings) -> Shape:
    """A fit of every frame, smoothed over time, with what corrective modes add to it. Arguments as of ``fit_landmarks``."""
    seen, problem, learn = timing.seen, fit.problem, learning_frames(timing)
    observed = points[seen, :FACE_POINTS, :2]
    state = smooth_state(fit, points, timing, model, settings)
    correctives = learn_correctives(problem, state[seen][learn], observed[learn])
    corrective, corrected = fit_correctives(problem, state[seen], observed, correctives)
    return Shape(
        neutral=fit.neutral,
        identity=fit.identity,
        rotation=state.rotation,
        translation=state.translation,
        expression=state.expression,
        fitted_error=_spread(landmark_error(problem, fit.state, observed), seen, torch.nan),
        error=_spread(landmark_error(problem, state[seen], observed), seen, torch.nan),
        modes=correctives.modes,
        corrective=_spread(corrective, seen),
        corrected_error=_spread(corrected, seen, torch.nan),
    )


def smooth_state(fit: Fit, points: Tensor, timing: Timing, model: FaceModel, settings: TrackerSettings) -> State:
    """Pose and expression of all T frames, smoothed; the expression is fitted anew under the smoothed pose before its turn."""
    state = smooth_pose(fit.state, timing, settings.pose_smoothing)
    rested = solve(fit.problem, points[timing.seen, :FACE_POINTS, :2], state[timing.seen], REST, fit.pull)
    coefficients = smooth_expression(_spread(rested.expression, timing.seen), timing, model.expression_names, settings)
    return State(state.rotation, state.translation, admissible(fit.problem, coefficients))


def with_true_depth(landmarks: Tensor) -> Tensor:
    """Landmarks (T, L, 3) with the depth that MediaPipe exaggerates brought to scale."""
    return landmarks * landmarks.new_tensor([1, 1, DEPTH_SCALE])


def learning_frames(timing: Timing) -> Tensor:
    """The training frames that the person is learned from: indices among the seen frames."""
    return spread_evenly(_training(timing), LEARNING_FRAMES)


def _training(timing: Timing) -> int:
    """The number of seen training frames."""
    return int(timing.seen[: timing.actor_frames].sum())


def landmark_problem(template: Tensor, model: FaceModel, camera: Camera, settings: TrackerSettings) -> Problem:
    """The fit of a model's expressions on a template (468, 3) to landmarks."""
    names = model.expression_names
    index = {name: k for k, name in enumerate(names)}
    basis = model.at_landmarks(model.expression_basis)
    jaw = torch.tensor([name.startswith("jaw") for name in names])
    lift = lift_by_skin(basis, jaw) / energy.outer_eye_distance(template) * 100  # (K,) in % of the outer-eye distance
    return Problem(
        neutral=template,
        basis=basis,
        bounds=model.expression_bounds,
        landmark_weight=landmark_weights(settings.rim_weight, settings.bone_weight),
        prior=settings.expression_prior * (torch.eye(len(names)) + CHIN_RELUCTANCE * torch.outer(lift, lift)),
        gaps=facing_landmarks(),
        gap_weight=settings.gap_weight,
        jaw=jaw,
        jaw_weight=settings.expression_prior * JAW_SAY * ("jawOpen" in names),
        ties=tuple((index[lower], index[upper]) for lower, upper in TIES if lower in index and upper in index),
        camera=camera,
    )


def lift_by_skin(basis: Tensor, jaw: Tensor) -> Tensor:
    """How far (mm) each of the shapes (K, 468, 3) lifts the chin from the nose, but for those that move the jaw, bool (K,): (K,).

    It counts the less, the more a shape moves the rest of the face than the chin.
    """
    way = basis[:, JAW_TIP].mean(1) - basis[:, NOSE_BRIDGE].mean(1)  # (K, 3)
    usual = basis.square().sum(-1).mean(1).sqrt()
    return way[:, 1] * (energy.length(way) / usual.clamp_min(1e-6)).clamp(max=1) * ~jaw


def facing_landmarks() -> Tensor:
    """Landmarks that face each other across the mouth and both eyes, without the corners: int64 (2, P), upper and lower."""
    rims = [RIMS[opening] for opening in (MOUTH, EYE_RIGHT, EYE_LEFT)]
    return torch.tensor([[point for rim in rims for point in rim[side][1:-1]] for side in range(2)])


def landmark_weights(rim_weight: float, bone_weight: float = 1.0) -> Tensor:
    """Say of each landmark, (468,), 1 on average: more on the rims of eyes and mouth and on the brows, which carry expression.

    Those that expressions hardly move tell the pose: ``bone_weight`` keeps a smile from turning the head.
    """
    weight = torch.ones(FACE_POINTS)
    weight[list(BONY)] = bone_weight
    weight[[*around(*OPENINGS), *BROWS, *mirrored(BROWS)]] = rim_weight
    return weight / weight.mean()


def smooth_pose(state: State, timing: Timing, strength: float) -> State:
    """The state of all T frames from that of the seen ones: the pose is smoothed, expressions are only interpolated."""
    seen = timing.seen
    rotation = timing.smooth(_spread(matrix_to_axis_angle(state.rotation), seen), strength)
    translation = timing.smooth(_spread(state.translation, seen), strength)
    expression = timing.smooth(_spread(state.expression, seen), 0.0)
    return State(axis_angle_to_matrix(rotation), translation, expression)


def smooth_expression(expression: Tensor, timing: Timing, names: tuple[str, ...], settings: TrackerSettings) -> Tensor:
    """Coefficients (T, K) smoothed over time: brows and cheeks firmly, ``SWIFT`` shapes lightly, blinks the least."""
    swift, blink = (torch.tensor([name.startswith(start) for name in names]) for start in (SWIFT, BLINK))
    strengths = (settings.swift_smoothing, settings.eye_smoothing, settings.expression_smoothing)
    result = torch.empty_like(expression)
    for shapes, strength in zip((swift, blink, ~(swift | blink)), strengths, strict=True):
        result[:, shapes] = timing.smooth(expression[:, shapes], strength)
    return result


def spread_evenly(count: int, most: int) -> Tensor:
    """Indices of at most ``most`` of ``count`` frames, evenly spread."""
    return torch.linspace(0, count - 1, min(count, most)).round().long()


def _spread(values: Tensor, seen: Tensor, elsewhere: float = 0.0) -> Tensor:
    """Values (N, ...) of the seen frames in their places among all T: (T, ...)."""
    result = values.new_full((len(seen), *values.shape[1:]), elsewhere)
    result[seen] = values
    return result
