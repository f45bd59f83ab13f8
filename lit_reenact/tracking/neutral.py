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
from lit_reenact.tracking.schedule import ROBUST_SCALE
from lit_reenact.tracking.state import State

JAW_REST = 0.05
"""Share of the training frames in which the chin is higher than in the neutral head."""

LIP_REACH = 8.0
"""Distance (mm) over which the skin follows lips that are brought together."""


def refine_template(problem: Problem, state: State, observed: Tensor, prior: float) -> Tensor:
    """Move the landmarks of the template to where they best explain the residuals of all frames, by linear least squares.

    The template stays frontal and keeps its size: a rigid motion or scaling is taken out of the move.

    Args:
        problem: fit with the template to refine.
        state: pose and expression of the T frames to learn from.
        observed: (T, L, 2) landmarks of these frames, pixels.
        prior: weight of a squared mm of each landmark's move, against its mean squared residual.

    Returns:
        (L, 3) template, mm.
    """
    residual = residuals(problem, state, observed)
    weight = energy.geman_mcclure_weight(residual, ROBUST_SCALE)
    by_head = head_jacobian(problem, state)  # (T, L, 2, 3)
    weighted = (by_head * weight[..., None, None]).transpose(-1, -2)  # (T, L, 3, 2)
    normal = (weighted @ by_head).mean(0) + prior * torch.eye(3)
    moved = torch.linalg.solve(normal, (weighted @ residual[..., None]).mean(0).squeeze(-1))  # (L, 3)
    return problem.neutral + without_pose(moved, problem.neutral)


def without_pose(moved: Tensor, points: Tensor) -> Tensor:
    """Subtract from displacements (L, 3) of points (L, 3) the small rigid motion and scaling that is nearest to them."""
    axes = torch.eye(3)
    turns = torch.stack([torch.linalg.cross(axis.expand_as(points), points, dim=-1) for axis in axes])  # (3, L, 3)
    shifts = axes[:, None].expand(3, len(points), 3)
    motions = torch.cat([turns, shifts, points[None]]).flatten(1).T  # (3L, 7)
    # Normal equations, because LAPACK's least squares differ in the last digits from one run to the next.
    amount = torch.linalg.solve(motions.T @ motions, motions.T @ moved.flatten()[:, None])
    rigid: Tensor = motions @ amount
    return moved - rigid.view(moved.shape)


def close_mouth(neutral: Tensor) -> Tensor:
    """Close the lips of a neutral head (468, 3): each side of the gap moves by half of it, and the skin around follows.

    The median frame of people who hardly ever close their mouth has a gap, which a source's closed mouth must close.
    """
    upper, lower = list(UPPER_LIP_RIM[1:-1]), list(LOWER_LIP_RIM[1:-1])
    half = (neutral[lower] - neutral[upper]) / 2
    rim, moves = torch.tensor(upper + lower), torch.cat([half, -half])
    distance = torch.cdist(neutral, neutral[rim])
    nearest = distance.argmin(1)
    fade = torch.exp(-(distance.gather(1, nearest[:, None]) / LIP_REACH).square())
    return neutral + fade * moves[nearest]


def raise_jaw(neutral: Tensor, points: Tensor, model: FaceModel) -> Tensor:
    """Raise the jaw of a neutral head with closed lips to a height that the person seldom exceeds.

    The jaw of the median head hangs in its middle place, from which ``jawOpen``, which only opens, could explain half of its
    travel.

    Args:
        neutral: (468, 3) neutral head, mm.
        points: (T, 468, 3) landmarks of training frames, pixels.
        model: face model; without the shapes ``jawOpen`` and ``mouthClose`` the head is returned unchanged.

    Returns:
        (468, 3) neutral head, mm.
    """
    names, basis = model.expression_names, model.at_landmarks(model.expression_basis)
    if not {"jawOpen", "mouthClose"} <= set(names):
        return neutral
    lowering = basis[names.index("jawOpen")] + basis[names.index("mouthClose")]
    wanted = face_length(points * points.new_tensor([1.0, 1.0, DEPTH_SCALE])).quantile(JAW_REST)
    length, per_unit = face_length(neutral), (face_length(neutral + 0.1 * lowering) - face_length(neutral)) / 0.1
    return neutral + ((wanted - length) / per_unit).clamp(max=0) * lowering


def face_length(points: Tensor) -> Tensor:
    """Divide the distance from chin to nasion by that of the outer eye corners: FaceMesh points (..., 468, 3) to (...)."""
    return energy.length(points[..., CHIN, :] - points[..., NASION, :]) / energy.outer_eye_length(points)
