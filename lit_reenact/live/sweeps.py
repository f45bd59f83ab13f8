"""``solver.bounded_minimum`` once more, compiled, for one frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lit_reenact.rendering.compiled.numba_types import compiled

Doubles = npt.NDArray[np.float64]


@compiled
def bounded_minimum(
    start: Doubles, rows: Doubles, downhill: Doubles, bounds: Doubles, ties: npt.NDArray[np.int64], sweeps: int
) -> Any:
    """The coefficients (K,) that minimise the quadratic within bounds and ties; see there.

    Args:
        start: (K,).
        rows: (K, K) curvature; it is changed.
        downhill: (K,) slope at ``start``; it is changed.
        bounds: (K, 2) lowest and highest.
        ties: (T, 2) pairs of which the first cannot exceed the second.
        sweeps: over all coefficients.
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
    for _ in range(sweeps):
        for k in range(len(x)):
            best = min(max(x[k] + downhill[k] / rows[k, k], bounds[k, 0]), bounds[k, 1])
            if partner[k] >= 0:
                best = min(best, ceiling[k] - x[partner[k]])
            downhill -= rows[k] * (best - x[k])
            x[k] = best
    for pair in range(len(ties)):
        x[ties[pair, 1]] += x[ties[pair, 0]]
    return x
