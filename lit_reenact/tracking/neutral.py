"""The neutral head of a person, refined by what a first fit leaves over, with closed lips and a raised jaw."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.facemesh import CHIN, LOWER_LIP_RIM, NASION, UPPER_LIP_RIM
from lit_reenact.face import FaceModel
from lit_reenact.landmarks.measures import DEPTH_SCALE
from lit_reenact.tracking import energy
from lit_reenact.tracking.landmark_term import head_jacobian, residuals
from lit_reenact.tracking.problem import Problem
from lit_reenact.tracking.state import State

ROBUST_SCALE = 8.0
"""Residual in % of the outer-eye distance at which a landmark begins to lose its say."""

JAW_REST = 0.05
"""Share of the training frames in which the chin is higher than in the neutral head."""

LIP_REACH = 8.0
"""Millimetres over which the skin follows lips that are brought together."""


def refine_template(problem: Problem, state: State, observed: Tensor, prior: float) -> Tensor:
    """The template with each landmark moved to where it explains most of what is left of all frames: linear least squares.

    The template stays frontal and of its size: what is no more than another pose is left out.

    Args:
        problem: with the template to refine.
        state: of the T frames to learn from.
        observed: (T, L, 2) their landmarks, pixels.
        prior: see ``TrackerSettings.template_prior``.
    """
    residual = residuals(problem, state, observed)
    weight = energy.geman_mcclure_weight(residual, ROBUST_SCALE)
    by_head = head_jacobian(problem, state)  # (T, L, 2, 3)
    weighted = (by_head * weight[..., None, None]).transpose(-1, -2)  # (T, L, 3, 2)
    normal = (weighted @ by_head).mean(0) + prior * torch.eye(3)
    moved = torch.linalg.solve(normal, (weighted @ residual[..., None]).mean(0).squeeze(-1))  # (L, 3)
    return problem.neutral + without_pose(moved, problem.neutral)


def without_pose(moved: Tensor, points: Tensor) -> Tensor:
    """Displacements (L, 3) of points (L, 3) less the small rigid motion and scaling that is nearest to them."""
    axes = torch.eye(3)
    turns = torch.stack([torch.linalg.cross(axis.expand_as(points), points, dim=-1) for axis in axes])  # (3, L, 3)
    shifts = axes[:, None].expand(3, len(points), 3)
    motions = torch.cat([turns, shifts, points[None]]).flatten(1).T  # (3L, 7)
    # The normal equations, for LAPACK's least squares differ in the last digits from one run to the next.
    amount = torch.linalg.solve(motions.T @ motions, motions.T @ moved.flatten()[:, None])
    rigid: Tensor = motions @ amount
    return moved - rigid.view(moved.shape)


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


def raise_jaw(neutral: Tensor, points: Tensor, model: FaceModel) -> Tensor:
    """A neutral head (468, 3) whose jaw is as high as it hardly ever is in landmarks (T, 468, 3), the lips staying closed.

    The median head's jaw hangs in its middle place, from which ``jawOpen``, which only opens, could explain half of its travel.
    """
    names, basis = model.expression_names, model.at_landmarks(model.expression_basis)
    if not {"jawOpen", "mouthClose"} <= set(names):
        return neutral
    lowering = basis[names.index("jawOpen")] + basis[names.index("mouthClose")]
    wanted = face_length(points * points.new_tensor([1.0, 1.0, DEPTH_SCALE])).quantile(JAW_REST)
    length, per_unit = face_length(neutral), (face_length(neutral + 0.1 * lowering) - face_length(neutral)) / 0.1
    return neutral + ((wanted - length) / per_unit).clamp(max=0) * lowering


def face_length(points: Tensor) -> Tensor:
    """From the chin to the bridge of the nose, over the outer eye corners' distance: FaceMesh points (..., 468, 3) to (...)."""
    return energy.length(points[..., CHIN, :] - points[..., NASION, :]) / energy.outer_eye_length(points)
