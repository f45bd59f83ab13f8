"""The terms of the energy that landmarks determine: residuals, derivatives and normal equations over a batch of frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.core.facemesh import JAW_TIP, NOSE_BRIDGE
from lit_reenact.core.geometry import flip
from lit_reenact.tracking import energy
from lit_reenact.tracking.problem import Problem
from lit_reenact.tracking.state import State

POSE = 6
"""Number of leading unknowns of a frame that belong to its pose: three of the turn, three of the step."""

POSE_DAMPING = 1e-2
"""Curvature added to that of the pose, far below any that landmarks give it."""


@dataclass(frozen=True)
class Quadratic:
    """Quadratic model of an energy about a state of T frames.

    Attributes:
        curvature: (T, 6 + K, 6 + K), or a tensor that broadcasts to it.
        slope: (T, 6 + K), the direction of descent.
    """

    curvature: Tensor
    slope: Tensor

    def __add__(self, other: Quadratic) -> Quadratic:
        return Quadratic(self.curvature + other.curvature, self.slope + other.slope)


def residuals(problem: Problem, state: State, observed: Tensor) -> Tensor:
    """Subtract the projected landmarks from the observed ones: (T, L, 2) in % of the outer-eye distance."""
    _, placed = energy.place(energy.deform(problem.neutral, problem.basis, state.expression), state.rotation, state.translation)
    unit = energy.residual_unit(problem.neutral, state.translation, problem.camera)
    return (observed - energy.project_landmarks(placed, problem.camera)) / unit[:, None, None]


def landmark_error(problem: Problem, state: State, observed: Tensor) -> Tensor:
    """Average the landmarks' distances in each frame: (T,) in % of the outer-eye distance."""
    if not len(observed):
        return observed.new_zeros(0)
    return energy.length(residuals(problem, state, observed)).mean(-1)


def jacobian(problem: Problem, state: State) -> Tensor:
    """Differentiate the projected landmarks, in % of the outer-eye distance, by pose and coefficients: (T, L, 2, 6 + K)."""
    turned, by_point = _point_jacobian(problem, state)
    by_pose = energy.pose_jacobian(turned, by_point, state.translation)
    return torch.cat([by_pose, energy.expression_jacobian(by_point, state.rotation, problem.basis)], -1)


def head_jacobian(problem: Problem, state: State) -> Tensor:
    """Differentiate the projected landmarks, in % of the outer-eye distance, by their place in head axes: (T, L, 2, 3)."""
    turned, by_point = _point_jacobian(problem, state)
    return (by_point * flip(turned)) @ state.rotation[:, None]


def _point_jacobian(problem: Problem, state: State) -> tuple[Tensor, Tensor]:
    """Return the turned landmarks (T, L, 3) and the derivative by their place in the camera (T, L, 2, 3)."""
    points = energy.deform(problem.neutral, problem.basis, state.expression)
    turned, placed = energy.place(points, state.rotation, state.translation)
    unit = energy.residual_unit(problem.neutral, state.translation, problem.camera)
    return turned, energy.projection_jacobian(placed, problem.camera) / unit[:, None, None, None]


def normal_equations(problem: Problem, state: State, observed: Tensor, robust_scale: float) -> Quadratic:
    """Linearise E_land, E_gap and E_reg about ``state``.

    Args:
        problem: weights and model that the frames share.
        state: pose and expression of T frames.
        observed: (T, L, 2) landmarks, pixels.
        robust_scale: residual at which a landmark begins to lose weight, in % of the outer-eye distance.
    """
    residual, derivative = residuals(problem, state, observed), jacobian(problem, state)
    weight = problem.landmark_weight * energy.geman_mcclure_weight(residual, robust_scale)
    above, below = problem.gaps
    unit = energy.residual_unit(problem.neutral, state.translation, problem.camera)[:, None]
    seen_gap = energy.length(observed[:, above] - observed[:, below]) / unit  # (T, P) in % of the outer-eye distance
    gap_weight = problem.gap_weight * energy.contact_weight(seen_gap)
    jaw_residual, by_jaw = jaw_travel(problem, state, residual, derivative)
    jaw_weight = weight.new_full((len(weight), 1), problem.jaw_weight)
    total = _squares(residual, derivative, weight) + _squares(
        torch.cat([residual[:, above] - residual[:, below], jaw_residual], 1),  # (T, P + 1, 2)
        torch.cat([derivative[:, above] - derivative[:, below], by_jaw], 1),
        torch.cat([gap_weight, jaw_weight], 1),
    )
    total.curvature.diagonal(dim1=-1, dim2=-2)[:, :POSE] += POSE_DAMPING
    total.curvature[:, POSE:, POSE:] += problem.prior
    total.slope[:, POSE:] -= state.expression @ problem.prior
    return total


def _squares(residual: Tensor, derivative: Tensor, weight: Tensor) -> Quadratic:
    """Linearise squared residuals (T, L, 2) with derivatives (T, L, 2, 6 + K) under weights (T, L)."""
    weighted = (derivative * weight[..., None, None]).flatten(1, 2).transpose(-1, -2)
    return Quadratic(weighted @ derivative.flatten(1, 2), (weighted @ residual.flatten(1)[..., None]).squeeze(-1))


def jaw_travel(problem: Problem, state: State, residual: Tensor, derivative: Tensor) -> tuple[Tensor, Tensor]:
    """Return residual and derivative of the vector from the nose to the chin, as if the jawbone alone moved it.

    The effect of other shapes on the chin is taken out to first order.

    Args:
        problem: names the shapes of the jaw.
        state: pose and expression of T frames.
        residual: (T, L, 2) of the landmarks at ``state``.
        derivative: (T, L, 2, 6 + K) of the landmarks at ``state``.

    Returns:
        residual (T, 1, 2) and derivative (T, 1, 2, 6 + K).
    """
    nose, chin = derivative[:, NOSE_BRIDGE].mean(1), derivative[:, JAW_TIP].mean(1)  # (T, 2, 6 + K)
    skin = chin[..., POSE:] * ~problem.jaw
    chin_residual = residual[:, JAW_TIP].mean(1) + (skin @ state.expression[..., None]).squeeze(-1)
    bone = torch.cat([chin[..., :POSE], chin[..., POSE:] - skin], -1)
    return (chin_residual - residual[:, NOSE_BRIDGE].mean(1))[:, None], (bone - nose)[:, None]
