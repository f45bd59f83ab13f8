"""Everything that landmarks tell of a clip: the person's neutral mesh, and the pose and expression of every frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lit_reenact.face import FaceModel
from lit_reenact.face.topology import LOWER_LIP_RIM, RIGHT_LOWER_LID, RIGHT_UPPER_LID, SKIN, UPPER_LIP_RIM, mirrored
from lit_reenact.geometry import axis_angle_to_matrix, flip, matrix_to_axis_angle
from lit_reenact.schema import Camera
from lit_reenact.tracking import energy
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.solver import Problem, Stage, State, admissible, initial_state, landmark_error, residuals, solve
from lit_reenact.tracking.template import DEPTH_SCALE, fit_identity, landmark_mirror, subject_template

ROBUST_SCALE = 8.0
"""Residual in % of the outer-eye distance at which a landmark begins to lose its say."""

FIT = (
    Stage(iterations=1, robust_scale=float("inf")),  # a mouth wide open must not be taken for outliers
    Stage(iterations=2, robust_scale=ROBUST_SCALE),
)
"""Pose and expression from the rigid start."""

SETTLE = (Stage(iterations=1, robust_scale=ROBUST_SCALE),)
"""The same after the template has moved a little."""

REST = (Stage(iterations=1, robust_scale=ROBUST_SCALE, pose=False),)
"""Expression under the smoothed pose."""

TIES = (("mouthClose", "jawOpen"),)
"""Coefficients of which the first cannot exceed the second."""

LIP_REACH = 8.0
"""Millimetres over which the skin follows lips that are brought together."""

BROWS = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107)
"""FaceMesh landmarks of the right brow; those of the left are their mirror images."""


@dataclass(frozen=True)
class Shape:
    """Geometry of T frames; in frames without landmarks everything is interpolated.

    Attributes:
        neutral: (V, 3) the person's neutral mesh, mm.
        identity: (K_identity,) its nearest identity coefficients.
        rotation: (T, 3, 3) matrices.
        translation: (T, 3) mm.
        expression: (T, K_expression).
        error: (T,) mean landmark error in % of the outer-eye distance, NaN without landmarks.
    """

    neutral: Tensor
    identity: Tensor
    rotation: Tensor
    translation: Tensor
    expression: Tensor
    error: Tensor


def fit_shape(points: Tensor, timing: Timing, model: FaceModel, camera: Camera, settings: TrackerSettings) -> Shape:
    """Template, pose and expression, smoothed over time.

    Args:
        points: (T, 478, 3) landmarks in pixels, NaN where there are none.
        timing: of the T frames.
        model: face model.
        camera: of the clip.
        settings: see there.
    """
    seen = timing.seen
    landmarks = points[seen, : len(model.landmark_vertices)]
    training = int(seen[: timing.actor_frames].sum())
    problem = landmark_problem(subject_template(landmarks[:training], model), model, camera, settings)
    state = solve(problem, landmarks[..., :2], initial_state(problem, landmarks * landmarks.new_tensor([1, 1, DEPTH_SCALE])), FIT)
    problem = refine_template(problem, state[:training], landmarks[:training, :, :2], settings.template_prior)
    problem = replace(problem, neutral=close_mouth(problem.neutral))
    state = solve(problem, landmarks[..., :2], state, SETTLE)

    state = smooth_pose(state, timing, settings.pose_smoothing)
    rested = solve(problem, landmarks[..., :2], state[seen], REST)
    coefficients = timing.smooth(_spread(rested.expression, seen), settings.expression_smoothing)
    state = State(state.rotation, state.translation, admissible(problem, coefficients))
    error = points.new_full((len(points),), torch.nan)
    error[seen] = landmark_error(problem, state[seen], landmarks[..., :2])
    identity, neutral = fit_identity(problem.neutral, model, settings.identity_prior)
    return Shape(neutral, identity, state.rotation, state.translation, state.expression, error)


def landmark_problem(template: Tensor, model: FaceModel, camera: Camera, settings: TrackerSettings) -> Problem:
    """The fit of a model's expressions on a template (468, 3) to landmarks."""
    names = model.expression_names
    index = {name: k for k, name in enumerate(names)}
    return Problem(
        neutral=template,
        basis=model.expression_basis[:, model.landmark_vertices],
        bounds=model.expression_bounds,
        landmark_weight=landmark_weights(model, settings.rim_weight),
        prior_weight=template.new_full((len(names),), settings.expression_prior),
        gaps=facing_landmarks(),
        gap_weight=settings.gap_weight,
        ties=tuple((index[lower], index[upper]) for lower, upper in TIES if lower in index and upper in index),
        camera=camera,
    )


def facing_landmarks() -> Tensor:
    """Landmarks that face each other across the mouth and both eyes, without the corners: int64 (2, P), upper and lower."""
    eyes = [(RIGHT_UPPER_LID, RIGHT_LOWER_LID), (mirrored(RIGHT_UPPER_LID), mirrored(RIGHT_LOWER_LID))]
    rims = [(UPPER_LIP_RIM, LOWER_LIP_RIM), *eyes]
    return torch.tensor([[point for rim in rims for point in rim[side][1:-1]] for side in range(2)])


def close_mouth(neutral: Tensor) -> Tensor:
    """A neutral head (468, 3) whose lips meet: each side of the gap moves half of it, and the skin around follows.

    People who hardly ever close their mouth leave a gap in the median of their frames; a closed mouth that drives them must
    close it all the same.
    """
    upper, lower = list(UPPER_LIP_RIM[1:-1]), list(LOWER_LIP_RIM[1:-1])
    half = (neutral[lower] - neutral[upper]) / 2
    rim, moves = torch.tensor(upper + lower), torch.cat([half, -half])
    distance = torch.cdist(neutral, neutral[rim])
    nearest = distance.argmin(1)
    fade = torch.exp(-(distance.gather(1, nearest[:, None]) / LIP_REACH).square())
    return neutral + fade * moves[nearest]


def landmark_weights(model: FaceModel, rim_weight: float) -> Tensor:
    """Say of each landmark, (468,), 1 on average: more on the rims of eyes and mouth and on the brows, which carry expression."""
    rims = torch.isin(model.landmark_vertices, model.faces[model.region != SKIN])
    brows = torch.tensor(BROWS)
    rims[brows] = True
    rims[landmark_mirror(model)[brows]] = True
    weight = torch.where(rims, rim_weight, 1.0)
    return weight / weight.mean()


def refine_template(problem: Problem, state: State, observed: Tensor, prior: float) -> Problem:
    """Move each landmark of the template to where it explains most of what is left of all frames: linear least squares.

    The template stays frontal and of its size: what is no more than another pose is left out.

    Args:
        problem: with the template to refine.
        state: of the T frames to learn from.
        observed: (T, L, 2) their landmarks, pixels.
        prior: see ``TrackerSettings.template_prior``.
    """
    residual = residuals(problem, state, observed)
    weight = energy.geman_mcclure_weight(residual, ROBUST_SCALE)
    points = energy.deform(problem.neutral, problem.basis, state.expression)
    _, placed = energy.place(points, state.rotation, state.translation)
    unit = energy.residual_unit(problem.neutral, state.translation, problem.camera)
    by_point = energy.projection_jacobian(placed, problem.camera) / unit[:, None, None, None]
    by_head = (by_point * flip(points)) @ state.rotation[:, None]  # (T, L, 2, 3)
    weighted = (by_head * weight[..., None, None]).transpose(-1, -2)  # (T, L, 3, 2)
    normal = (weighted @ by_head).mean(0) + prior * torch.eye(3)
    moved = torch.linalg.solve(normal, (weighted @ residual[..., None]).mean(0).squeeze(-1))  # (L, 3)
    return replace(problem, neutral=problem.neutral + without_pose(moved, problem.neutral))


def without_pose(moved: Tensor, points: Tensor) -> Tensor:
    """Displacements (L, 3) of points (L, 3) less the small rigid motion and scaling that is nearest to them."""
    axes = torch.eye(3)
    turns = torch.stack([torch.linalg.cross(axis.expand_as(points), points, dim=-1) for axis in axes])  # (3, L, 3)
    shifts = axes[:, None].expand(3, len(points), 3)
    motions = torch.cat([turns, shifts, points[None]]).flatten(1).T  # (3L, 7)
    amount = torch.linalg.lstsq(motions, moved.flatten()[:, None]).solution
    rigid: Tensor = motions @ amount
    return moved - rigid.view(moved.shape)


def smooth_pose(state: State, timing: Timing, strength: float) -> State:
    """The state of all T frames from that of the seen ones: the pose is smoothed, expressions are only interpolated."""
    seen = timing.seen
    rotation = timing.smooth(_spread(matrix_to_axis_angle(state.rotation), seen), strength)
    translation = timing.smooth(_spread(state.translation, seen), strength)
    expression = timing.smooth(_spread(state.expression, seen), 0.0)
    return State(axis_angle_to_matrix(rotation), translation, expression)


def _spread(values: Tensor, seen: Tensor) -> Tensor:
    """Values (N, C) of the seen frames in their places among all T: (T, C), 0 elsewhere."""
    result = values.new_zeros(len(seen), values.shape[1])
    result[seen] = values
    return result
