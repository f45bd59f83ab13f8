"""One Gauss-Newton step of one frame, compiled: of so little work, calling torch for every coefficient would be most."""

from __future__ import annotations

from importlib import util

import numpy as np
import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix
from lit_reenact.tracking import solver
from lit_reenact.tracking.solver import POSE, SWEEPS, Problem, State

COMPILED = util.find_spec("numba") is not None
"""Whether to do so; otherwise ``solver.step`` does it, six times as slowly."""


def step(problem: Problem, state: State, curvature: Tensor, slope: Tensor, pose: bool) -> State:
    """``solver.step`` of a single frame."""
    if not COMPILED:
        return solver.step(problem, state, curvature, slope, pose)
    from lit_reenact.live.sweeps import bounded_minimum

    bends, downhill, start = curvature[0].double().numpy(), slope[0].double().numpy(), state.expression[0].double().numpy()
    rows, shape_slope = bends[POSE:, POSE:], downhill[POSE:]
    if pose:  # the Schur complement, as there
        solved = np.linalg.solve(bends[:POSE, :POSE], np.column_stack([bends[:POSE, POSE:], downhill[:POSE]]))
        rows, shape_slope = rows - bends[POSE:, :POSE] @ solved[:, :-1], shape_slope - bends[POSE:, :POSE] @ solved[:, -1]
    ties = np.array(problem.ties, dtype=np.int64).reshape(-1, 2)
    found = bounded_minimum(start, rows.copy(), shape_slope.copy(), problem.bounds.double().numpy(), ties, SWEEPS)
    expression = torch.from_numpy(found)[None].to(state.expression.dtype)
    if not pose:
        return State(state.rotation, state.translation, expression)
    change = torch.from_numpy(solved[:, -1] - solved[:, :-1] @ (found - start))[None].to(state.rotation.dtype)
    return State(
        rotation=axis_angle_to_matrix(change[:, :3]) @ state.rotation,
        translation=state.translation + change[:, 3:] * state.translation[:, 2:],
        expression=expression,
    )
