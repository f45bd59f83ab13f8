"""The coarse-to-fine schedule of the fit: which unknowns move, how often, and how far outliers are trusted."""

from __future__ import annotations

from dataclasses import dataclass

ROBUST_SCALE = 8.0
"""Residual in % of the outer-eye distance at which a landmark begins to lose weight."""


@dataclass(frozen=True)
class Stage:
    """Iterations of the solver under constant weights.

    Attributes:
        iterations: number of Gauss-Newton steps.
        robust_scale: residual, in % of the outer-eye distance, at which a landmark begins to lose weight; inf trusts all.
        pose: whether pose and expression move; False moves the expression alone.
    """

    iterations: int
    robust_scale: float = ROBUST_SCALE
    pose: bool = True


FIT = (
    Stage(iterations=1, robust_scale=float("inf")),  # a mouth wide open must not be taken for outliers
    Stage(iterations=2),
)
"""Pose and expression from the rigid start."""

SETTLE = (Stage(iterations=1),)
"""Pose and expression after the template has moved a little, or from the frame before."""

REFINE = (Stage(iterations=2),)
"""Pose and expression on the image, from the fit to landmarks."""

REST = (Stage(iterations=1, pose=False),)
"""Expression under the smoothed pose."""
