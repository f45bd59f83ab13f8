"""Gauss-Newton over a batch of frames: pose and expression from landmarks. No frame depends on another."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from lit_reenact.core.geometry import axis_angle_to_matrix
from lit_reenact.core.parallel import map_in_threads
from lit_reenact.tracking.bounded_solver import BoundedMinimum, bounded_minimum
from lit_reenact.tracking.landmark_term import POSE, Quadratic, normal_equations
from lit_reenact.tracking.problem import Problem
from lit_reenact.tracking.schedule import Stage
from lit_reenact.tracking.state import State, concatenate

CHUNK = 64
"""Number of frames solved at once: their derivatives fit into the processor's cache."""


def solve(
    problem: Problem, observed: Tensor, state: State, stages: tuple[Stage, ...], pull: Tensor | None = None, chunk: int = CHUNK
) -> State:
    """Run the stages over all frames, chunks of them side by side.

    Args:
        problem: weights and model that the frames share.
        observed: (T, L, 2) landmarks in pixels, finite.
        state: pose and expression to start from.
        stages: schedule, in order.
        pull: (T, K) slope that another term, taken as linear, adds to that of the coefficients; None adds none.
        chunk: frames solved at once, so that memory does not grow with the length of a video.

    Example:
        >>> state = solve(problem, landmarks[..., :2], initial_state(problem, landmarks), (Stage(3, robust_scale=8.0),))
    """
    runs = [slice(start, start + chunk) for start in range(0, len(observed), chunk)]
    parts = map_in_threads(
        lambda run: solve_chunk(problem, observed[run], state[run], stages, None if pull is None else pull[run]), runs
    )
    return concatenate(parts) if parts else state


def solve_chunk(
    problem: Problem,
    observed: Tensor,
    state: State,
    stages: tuple[Stage, ...],
    pull: Tensor | None = None,
    minimise: BoundedMinimum = bounded_minimum,
) -> State:
    """Run the stages over frames that fit into memory together, in the caller's thread.

    Args:
        problem: weights and model that the frames share.
        observed: (T, L, 2) landmarks in pixels, finite.
        state: pose and expression to start from.
        stages: schedule, in order.
        pull: (T, K) slope as in ``solve``.
        minimise: implementation of the bounded minimum.
    """
    other = None if pull is None else Quadratic(pull.new_zeros(()), pad(pull, (POSE, 0)))
    for stage in stages:
        for _ in range(stage.iterations):
            state = gauss_newton_step(problem, observed, state, stage, other, minimise)
    return state


def gauss_newton_step(
    problem: Problem,
    observed: Tensor,
    state: State,
    stage: Stage,
    other: Quadratic | None = None,
    minimise: BoundedMinimum = bounded_minimum,
) -> State:
    """Take one step down the energy of the landmarks and, if given, of another term that was linearised about ``state``."""
    model = normal_equations(problem, state, observed, stage.robust_scale)
    return step(problem, state, model if other is None else model + other, stage.pose, minimise)


def step(problem: Problem, state: State, model: Quadratic, pose: bool, minimise: BoundedMinimum = bounded_minimum) -> State:
    """Move to the minimum of the quadratic model, with the coefficients within their bounds and ties.

    The pose has no bounds: it is eliminated (Schur complement), and put back once the coefficients are known. With ``pose``
    False it stays as it is.
    """
    curvature, slope = model.curvature, model.slope
    shape_shape, shape_slope = curvature[:, POSE:, POSE:], slope[:, POSE:]
    if not pose:
        return State(state.rotation, state.translation, minimise(problem, state.expression, shape_shape, shape_slope))
    factor = torch.linalg.cholesky(curvature[:, :POSE, :POSE])
    solved = torch.cholesky_solve(torch.cat([curvature[:, :POSE, POSE:], slope[:, :POSE, None]], -1), factor)  # (T, 6, K + 1)
    coupling = curvature[:, POSE:, :POSE] @ solved
    shape_shape, shape_slope = shape_shape - coupling[..., :-1], shape_slope - coupling[..., -1]
    expression = minimise(problem, state.expression, shape_shape, shape_slope)
    change = solved[..., -1] - (solved[..., :-1] @ (expression - state.expression)[..., None]).squeeze(-1)
    return State(
        rotation=axis_angle_to_matrix(change[:, :3]) @ state.rotation,
        translation=state.translation + change[:, 3:] * state.translation[:, 2:],
        expression=expression,
    )
