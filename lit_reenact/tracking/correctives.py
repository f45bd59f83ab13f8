"""Corrective modes: motion of a person's face that no named expression explains, learned from the tracker's residuals.

They only measure the tracker: no other actor has them, so a transfer cannot supply them, and conditioning images are drawn
without them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.tracking import energy
from lit_reenact.tracking.landmark_term import head_jacobian, residuals
from lit_reenact.tracking.problem import Problem
from lit_reenact.tracking.state import State

MODES = 16
"""Number of modes of a person."""

CHUNK = 256
"""Number of frames fitted at once."""

RIDGE = 0.5
"""Weight of squared coefficients, in units of their deviation, against squared residuals in % of the outer-eye distance."""


@dataclass(frozen=True)
class Correctives:
    """The modes of a person and the usual size of each.

    Attributes:
        modes: (M, 468, 3) displacements of the landmarks in head axes, mm, orthonormal.
        deviation: (M,) root mean square of each mode's coefficient over the training frames.
    """

    modes: Tensor
    deviation: Tensor


def learn_correctives(problem: Problem, state: State, observed: Tensor, count: int = MODES) -> Correctives:
    """Learn the principal directions of the landmarks' residuals, without centring, because the mean is a residual, too.

    A residual says nothing about depth, so each is replaced by the shortest displacement that explains it.

    Args:
        problem: fit to landmarks.
        state: pose and expression fitted to T training frames.
        observed: (T, 468, 2) landmarks of these frames, pixels.
        count: number of modes, at most T.
    """
    by_head = head_jacobian(problem, state)
    gram = by_head @ by_head.transpose(-1, -2)  # (T, L, 2, 2)
    needed = torch.linalg.solve(gram, residuals(problem, state, observed)[..., None])
    displacement = (by_head.transpose(-1, -2) @ needed).squeeze(-1).flatten(1)  # (T, 3 * L)
    _, size, directions = torch.linalg.svd(displacement, full_matrices=False)
    return Correctives(directions[:count].view(-1, *problem.neutral.shape), size[:count] / len(observed) ** 0.5)


def fit_correctives(problem: Problem, state: State, observed: Tensor, correctives: Correctives) -> tuple[Tensor, Tensor]:
    """Fit the residuals of the named expressions by ridge regression; pose and named coefficients are not changed.

    Args:
        problem: fit to landmarks.
        state: pose and expression of T frames.
        observed: (T, 468, 2) landmarks, pixels.
        correctives: modes of the person.

    Returns:
        coefficients (T, M), and the mean landmark error that remains, (T,) in % of the outer-eye distance.
    """
    parts = [
        _fit(problem, state[start : start + CHUNK], observed[start : start + CHUNK], correctives)
        for start in range(0, len(observed), CHUNK)
    ]
    coefficients, left = zip(*parts, strict=True)
    return torch.cat(coefficients), torch.cat(left)


def _fit(problem: Problem, state: State, observed: Tensor, correctives: Correctives) -> tuple[Tensor, Tensor]:
    residual = residuals(problem, state, observed)
    design = torch.einsum("tlij,mlj->tlim", head_jacobian(problem, state), correctives.modes).flatten(1, 2)  # (T, 2 L, M)
    prior = torch.diag(RIDGE / correctives.deviation.square().clamp_min(1e-12))
    curvature, slope = design.transpose(1, 2) @ design + prior, design.transpose(1, 2) @ residual.flatten(1)[..., None]
    coefficients = torch.linalg.solve(curvature, slope)  # (T, M, 1)
    left = residual - (design @ coefficients).view(residual.shape)
    return coefficients.squeeze(-1), energy.length(left).mean(-1)
