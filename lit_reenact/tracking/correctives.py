"""Corrective modes: what a person's face does that no named expression says, learned from what the tracker leaves over.

They measure the tracker, and nothing else: no other actor has them, so a transfer cannot supply them, and conditioning
images are drawn without them.
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
"""How many modes a person gets."""

CHUNK = 256
"""Frames that are fitted at once."""

RIDGE = 0.5
"""Weight of squared coefficients, in units of their deviation, against squared residuals in % of the outer-eye distance."""


@dataclass(frozen=True)
class Correctives:
    """The modes of a person and how far each goes.

    Attributes:
        modes: (M, 468, 3) displacements of the landmarks in head axes, mm, orthonormal.
        deviation: (M,) root mean square of each mode's coefficient over the frames it was learned from.
    """

    modes: Tensor
    deviation: Tensor


def learn_correctives(problem: Problem, state: State, observed: Tensor, count: int = MODES) -> Correctives:
    """The principal directions of what is left of the landmarks, without centring: the mean is left over, too.

    What a residual says of the depth is nothing, so each is taken as the shortest displacement that explains it.

    Args:
        problem: what the frames share.
        state: fitted to T training frames.
        observed: (T, 468, 2) their landmarks, pixels.
        count: of the modes, at most T.
    """
    by_head = head_jacobian(problem, state)
    gram = by_head @ by_head.transpose(-1, -2)  # (T, L, 2, 2)
    needed = torch.linalg.solve(gram, residuals(problem, state, observed)[..., None])
    displacement = (by_head.transpose(-1, -2) @ needed).squeeze(-1).flatten(1)  # (T, 3 * L)
    _, size, directions = torch.linalg.svd(displacement, full_matrices=False)
    return Correctives(directions[:count].view(-1, *problem.neutral.shape), size[:count] / len(observed) ** 0.5)


def fit_correctives(problem: Problem, state: State, observed: Tensor, correctives: Correctives) -> tuple[Tensor, Tensor]:
    """Explain what named expressions leave over, by ridge regression; pose and named coefficients stay as they are.

    Args:
        problem: what the frames share.
        state: of T frames.
        observed: (T, 468, 2) landmarks in pixels.
        correctives: of the person.

    Returns:
        coefficients (T, M), and the mean landmark error that is left, (T,) in % of the outer-eye distance.
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
