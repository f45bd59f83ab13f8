"""The numba backend of ``bounded_solver``: frame by frame in double precision, without a call of torch for every coefficient."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lit_reenact.rendering.compiled.jit import kernel
from lit_reenact.tracking.bounded_solver import SWEEPS
from lit_reenact.tracking.problem import Problem

Doubles = npt.NDArray[np.float64]


def bounded_minimum(problem: Problem, start: Tensor, curvature: Tensor, slope: Tensor) -> Tensor:
    """Minimise the quadratics of ``bounded_solver.bounded_minimum``, with the same arguments and result."""
    ties = np.array(problem.ties, dtype=np.int64).reshape(-1, 2)
    bounds = problem.bounds.double().numpy()
    frames = zip(*(each.double().numpy() for each in (start, curvature, slope)), strict=True)
    solved = [_sweep(first, rows.copy(), downhill.copy(), bounds, ties) for first, rows, downhill in frames]
    return torch.from_numpy(np.stack(solved)).to(start.dtype)


@kernel
def _sweep(start: Doubles, rows: Doubles, downhill: Doubles, bounds: Doubles, ties: npt.NDArray[np.int64]) -> Any:
    """Return the coefficients (K,) of one frame.

    Args:
        start: (K,) coefficients to start from.
        rows: (K, K) curvature; overwritten.
        downhill: (K,) direction of descent at ``start``; overwritten.
        bounds: (K, 2) lowest and highest coefficient.
        ties: (P, 2) pairs of which the first cannot exceed the second.
    """
    x = start.copy()
    partner, ceiling = np.full(len(x), -1), np.full(len(x), np.inf)
    for pair in range(len(ties)):
        lower, upper = ties[pair, 0], ties[pair, 1]
        rows[lower] += rows[upper]
        rows[:, lower] += rows[:, upper]
        downhill[lower] += downhill[upper]
        x[upper] -= x[lower]
        partner[lower], partner[upper] = upper, lower
        ceiling[lower] = ceiling[upper] = bounds[upper, 1]
    for _ in range(SWEEPS):
        for k in range(len(x)):
            best = min(max(x[k] + downhill[k] / rows[k, k], bounds[k, 0]), bounds[k, 1])
            if partner[k] >= 0:
                best = min(best, ceiling[k] - x[partner[k]])
            downhill -= rows[k] * (best - x[k])
            x[k] = best
    for pair in range(len(ties)):
        x[ties[pair, 1]] += x[ties[pair, 0]]
    return x
