"""Minimum of a quadratic within bounds, by projected Gauss-Seidel: in torch for many frames at once, in numba for single frames.

One coefficient after another moves to its own minimum. Clamping the unbounded minimum instead would be far off, since
neighbouring shapes outbid each other with opposite signs. Tied coefficients move together, or lips that must stay closed would
hold the jaw where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module, util

from torch import Tensor, minimum

from lit_reenact.tracking.problem import Problem

SWEEPS = 10
"""Passes over all coefficients; more of them change the landmarks by less than a hundredth of a pixel."""

BoundedMinimum = Callable[[Problem, Tensor, Tensor, Tensor], Tensor]
"""Signature of ``bounded_minimum`` and of its compiled form."""


def bounded_minimum(problem: Problem, start: Tensor, curvature: Tensor, slope: Tensor) -> Tensor:
    """Minimise ``(x - start) (curvature (x - start) / 2 - slope)`` over x within bounds and ties, in all frames at once.

    Args:
        problem: bounds and ties of the coefficients.
        start: (T, K) coefficients to start from.
        curvature: (T, K, K), positive definite.
        slope: (T, K) direction of descent at ``start``.

    Returns:
        (T, K) coefficients.
    """
    rows = curvature.permute(1, 2, 0).contiguous()  # (K, K, T)
    downhill, x = slope.T.clone(), start.T.clone()  # (K, T); a single frame's transpose would still be the caller's memory
    for lower, upper in problem.ties:  # from here on the lower moves the upper with it, and the upper is what it has on top
        rows[lower] += rows[upper]
        rows[:, lower] += rows[:, upper]
        downhill[lower] += downhill[upper]
        x[upper] -= x[lower]
    bounds = problem.bounds.tolist()
    partner = {k: pair[1 - side] for pair in problem.ties for side, k in enumerate(pair)}
    ceiling = {k: bounds[pair[1]][1] for pair in problem.ties for k in pair}  # for the sum of the two
    for _ in range(SWEEPS):
        for k, (low, high) in enumerate(bounds):
            best = (x[k] + downhill[k] / rows[k, k]).clamp_(low, high)
            if k in partner:
                best = minimum(best, ceiling[k] - x[partner[k]])
            downhill.addcmul_(rows[k], best - x[k], value=-1)
            x[k] = best
    for lower, upper in problem.ties:
        x[upper] += x[lower]
    return x.T.contiguous()


def single_frame_backend() -> BoundedMinimum:
    """Return the faster implementation for a single frame: numba where it is installed, otherwise torch, six times as slow."""
    if util.find_spec("numba") is None:
        return bounded_minimum
    compiled: BoundedMinimum = import_module("lit_reenact.tracking.compiled_sweeps").bounded_minimum
    return compiled
