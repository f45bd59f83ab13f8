"""Gauss-Newton over a batch of frames: pose and expression from landmarks. No frame knows of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, flip, rigid_alignment
from lit_reenact.core.parallel import side_by_side
from lit_reenact.core.schema import Camera
from lit_reenact.tracking import energy

POSE = 6
"""Leading unknowns of a frame: a turn and a step, three each."""

POSE_DAMPING = 1e-2
"""Added to the curvature of the pose, far below any that landmarks give it."""

JAW_TIP, NOSE_BRIDGE = [152, 148, 377, 176, 400, 175], [168, 6, 197, 195]
"""FaceMesh landmarks on the tip of the jaw and on the bridge of the nose."""

CHUNK = 64
"""Frames that are solved at once: their derivatives stay near the processor."""

SWEEPS = 10
"""Of the bounded solver; more change the landmarks by less than a hundredth of a pixel."""


@dataclass(frozen=True)
class Stage:
    """A number of iterations under the same weights.

    Attributes:
        iterations: Gauss-Newton steps.
        robust_scale: residual, in % of the outer-eye distance, at which a landmark begins to lose its say; inf trusts all.
        pose: whether the pose may move; otherwise the expression alone does.
    """

    iterations: int
    robust_scale: float
    pose: bool = True


@dataclass(frozen=True)
class Problem:
    """What all frames share.

    Attributes:
        neutral: (L, 3) landmarks of the neutral head, mm.
        basis: (K, L, 3) what each expression adds to them at coefficient 1.
        bounds: (K, 2) lowest and highest coefficient.
        landmark_weight: (L,) say of each landmark, 1 on average.
        prior: (K, K) weights of the coefficients' squares and products, against squared residuals in % of the outer-eye distance.
        ties: pairs (a, b) of coefficients with a <= b, such as mouthClose <= jawOpen.
        gaps: int64 (2, P) pairs of landmarks that face each other across the mouth or an eye.
        gap_weight: say of the vector from one of a pair to the other, against 1 of a landmark: what is open and what is closed
            is seen more surely than where it is, and means more.
        jaw: bool (K,), shapes that move the jawbone.
        jaw_weight: say of the way from the nose to the chin, which ``jaw`` alone is to explain, against 1 of a landmark.
        camera: of the working clip.
    """

    neutral: Tensor
    basis: Tensor
    bounds: Tensor
    landmark_weight: Tensor
    prior: Tensor
    ties: tuple[tuple[int, int], ...]
    gaps: Tensor
    gap_weight: float
    jaw: Tensor
    jaw_weight: float
    camera: Camera


@dataclass(frozen=True)
class State:
    """The unknowns of T frames: rotation matrices (T, 3, 3), translations (T, 3) mm, coefficients (T, K)."""

    rotation: Tensor
    translation: Tensor
    expression: Tensor

    def __getitem__(self, frames: slice | Tensor) -> State:
        return State(self.rotation[frames], self.translation[frames], self.expression[frames])


def initial_state(problem: Problem, points: Tensor) -> State:
    """Pose of a rigid head by closed form, from landmarks with depth (T, L, 3) in pixels; the expression is 0."""
    camera = problem.camera
    rotation, scale, offset = rigid_alignment(points * flip(points), problem.neutral, problem.landmark_weight)
    depth = camera.focal / scale
    place = offset * flip(offset) - offset.new_tensor([camera.width / 2, camera.height / 2, 0])
    translation = torch.stack([place[:, 0] / scale, place[:, 1] / scale, depth], -1)
    return State(rotation, translation, points.new_zeros(len(points), len(problem.basis)))


def residuals(problem: Problem, state: State, observed: Tensor) -> Tensor:
    """What is seen minus what is projected, (T, L, 2), in % of the outer-eye distance."""
    _, placed = energy.place(energy.deform(problem.neutral, problem.basis, state.expression), state.rotation, state.translation)
    unit = energy.residual_unit(problem.neutral, state.translation, problem.camera)
    return (observed - energy.project_landmarks(placed, problem.camera)) / unit[:, None, None]


def jacobian(problem: Problem, state: State) -> Tensor:
    """Derivative of the projected landmarks, in % of the outer-eye distance, by pose and coefficients: (T, L, 2, 6 + K)."""
    turned, by_point = _by_point(problem, state)
    by_pose = energy.pose_jacobian(turned, by_point, state.translation)
    return torch.cat([by_pose, energy.expression_jacobian(by_point, state.rotation, problem.basis)], -1)


def head_jacobian(problem: Problem, state: State) -> Tensor:
    """Derivative of the projected landmarks, in % of the outer-eye distance, by their place in head axes: (T, L, 2, 3)."""
    turned, by_point = _by_point(problem, state)
    return (by_point * flip(turned)) @ state.rotation[:, None]


def _by_point(problem: Problem, state: State) -> tuple[Tensor, Tensor]:
    """The turned landmarks (T, L, 3), and the derivative by their place in the camera (T, L, 2, 3)."""
    points = energy.deform(problem.neutral, problem.basis, state.expression)
    turned, placed = energy.place(points, state.rotation, state.translation)
    unit = energy.residual_unit(problem.neutral, state.translation, problem.camera)
    return turned, energy.projection_jacobian(placed, problem.camera) / unit[:, None, None, None]


def normal_equations(problem: Problem, state: State, observed: Tensor, robust_scale: float) -> tuple[Tensor, Tensor]:
    """Curvature (T, 6 + K, 6 + K) and downhill slope (T, 6 + K) of the energy at ``state``."""
    residual, derivative = residuals(problem, state, observed), jacobian(problem, state)
    weight = problem.landmark_weight * energy.geman_mcclure_weight(residual, robust_scale)
    above, below = problem.gaps
    unit = energy.residual_unit(problem.neutral, state.translation, problem.camera)[:, None]
    seen_gap = energy.length(observed[:, above] - observed[:, below]) / unit  # (T, P) in % of the outer-eye distance
    gap_weight = problem.gap_weight * energy.contact_weight(seen_gap)
    jaw_residual, by_jaw = jaw_travel(problem, state, residual, derivative)
    jaw_weight = weight.new_full((len(weight), 1), problem.jaw_weight)
    curvature, slope = _squares(residual, derivative, weight)
    more_curvature, more_slope = _squares(
        torch.cat([residual[:, above] - residual[:, below], jaw_residual], 1),  # (T, P + 1, 2)
        torch.cat([derivative[:, above] - derivative[:, below], by_jaw], 1),
        torch.cat([gap_weight, jaw_weight], 1),
    )
    curvature, slope = curvature + more_curvature, slope + more_slope
    curvature.diagonal(dim1=-1, dim2=-2)[:, :POSE] += POSE_DAMPING
    curvature[:, POSE:, POSE:] += problem.prior
    slope[:, POSE:] -= state.expression @ problem.prior
    return curvature, slope


def _squares(residual: Tensor, derivative: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Curvature and slope of squared residuals (T, L, 2) with derivatives (T, L, 2, 6 + K) under weights (T, L)."""
    weighted = (derivative * weight[..., None, None]).flatten(1, 2).transpose(-1, -2)
    return weighted @ derivative.flatten(1, 2), (weighted @ residual.flatten(1)[..., None]).squeeze(-1)


def jaw_travel(problem: Problem, state: State, residual: Tensor, derivative: Tensor) -> tuple[Tensor, Tensor]:
    """Residual (T, 1, 2) and derivative (T, 1, 2, 6 + K) of the way from the nose to the chin, as if the jawbone alone moved it.

    What other shapes do to the chin is taken out to first order. Residual (T, L, 2) and derivative (T, L, 2, 6 + K) are those of
    the landmarks at ``state``.
    """
    nose, chin = derivative[:, NOSE_BRIDGE].mean(1), derivative[:, JAW_TIP].mean(1)  # (T, 2, 6 + K)
    skin = chin[..., POSE:] * ~problem.jaw
    chin_residual = residual[:, JAW_TIP].mean(1) + (skin @ state.expression[..., None]).squeeze(-1)
    bone = torch.cat([chin[..., :POSE], chin[..., POSE:] - skin], -1)
    return (chin_residual - residual[:, NOSE_BRIDGE].mean(1))[:, None], (bone - nose)[:, None]


def step(problem: Problem, state: State, curvature: Tensor, slope: Tensor, pose: bool) -> State:
    """The minimum of the quadratic model of the energy, with the coefficients within their bounds and ties.

    The pose, which has none, is eliminated (Schur complement), and put back once the coefficients are known.
    """
    shape_shape, shape_slope = curvature[:, POSE:, POSE:], slope[:, POSE:]
    if not pose:
        return State(state.rotation, state.translation, bounded_minimum(problem, state.expression, shape_shape, shape_slope))
    factor = torch.linalg.cholesky(curvature[:, :POSE, :POSE])
    solved = torch.cholesky_solve(torch.cat([curvature[:, :POSE, POSE:], slope[:, :POSE, None]], -1), factor)  # (T, 6, K + 1)
    coupling = curvature[:, POSE:, :POSE] @ solved
    shape_shape, shape_slope = shape_shape - coupling[..., :-1], shape_slope - coupling[..., -1]
    expression = bounded_minimum(problem, state.expression, shape_shape, shape_slope)
    change = solved[..., -1] - (solved[..., :-1] @ (expression - state.expression)[..., None]).squeeze(-1)
    return State(
        rotation=axis_angle_to_matrix(change[:, :3]) @ state.rotation,
        translation=state.translation + change[:, 3:] * state.translation[:, 2:],
        expression=expression,
    )


def bounded_minimum(problem: Problem, start: Tensor, curvature: Tensor, slope: Tensor, sweeps: int = SWEEPS) -> Tensor:
    """Projected Gauss-Seidel: minimise over x within bounds and ties ``(x - start) (curvature (x - start) / 2 - slope)``.

    One coefficient after another moves to its own best place, in all frames at once. Clamping the unbounded minimum instead
    would be far off, since neighbouring shapes outbid each other with opposite signs. Tied coefficients move together, or
    lips that must stay closed would hold the jaw where it is.

    Args:
        problem: brings bounds and ties.
        start: (T, K).
        curvature: (T, K, K), positive definite.
        slope: (T, K) downhill at ``start``.
        sweeps: over all coefficients.

    Returns:
        (T, K).
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
    ceiling = {k: bounds[pair[1]][1] for pair in problem.ties for k in pair}  # of the two together
    for _ in range(sweeps):
        for k, (low, high) in enumerate(bounds):
            best = (x[k] + downhill[k] / rows[k, k]).clamp_(low, high)
            if k in partner:
                best = torch.minimum(best, ceiling[k] - x[partner[k]])
            downhill.addcmul_(rows[k], best - x[k], value=-1)
            x[k] = best
    for lower, upper in problem.ties:
        x[upper] += x[lower]
    return x.T.contiguous()


def admissible(problem: Problem, expression: Tensor) -> Tensor:
    """Coefficients (T, K) clamped to their bounds and ties."""
    low, high = problem.bounds.unbind(-1)
    clamped = torch.maximum(torch.minimum(expression, high), low)
    for lower, upper in problem.ties:
        clamped[:, lower] = torch.minimum(clamped[:, lower], clamped[:, upper])
    return clamped


def solve(
    problem: Problem, observed: Tensor, state: State, stages: tuple[Stage, ...], pull: Tensor | None = None, chunk: int = CHUNK
) -> State:
    """Run the stages over all frames.

    Args:
        problem: what the frames share.
        observed: (T, L, 2) landmarks in pixels, finite.
        state: where to start.
        stages: what to do, in order.
        pull: (T, K) downhill slope that a term which is not evaluated here adds to that of the coefficients; without it none.
        chunk: frames that are solved at once, so that memory does not grow with the length of a video.
    """
    pull = torch.zeros_like(state.expression) if pull is None else pull
    runs = [slice(start, start + chunk) for start in range(0, len(observed), chunk)]
    parts = side_by_side(lambda run: _solve(problem, observed[run], state[run], stages, pull[run]), runs)
    return joined(parts) if parts else state


def joined(parts: Sequence[State]) -> State:
    """The states of several runs of frames as one."""
    return State(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(State)))


def _solve(problem: Problem, observed: Tensor, state: State, stages: tuple[Stage, ...], pull: Tensor) -> State:
    for stage in stages:
        for _ in range(stage.iterations):
            curvature, slope = normal_equations(problem, state, observed, stage.robust_scale)
            slope[:, POSE:] += pull
            state = step(problem, state, curvature, slope, stage.pose)
    return state


def landmark_error(problem: Problem, state: State, observed: Tensor) -> Tensor:
    """Mean distance over the landmarks in % of the outer-eye distance: (T,)."""
    if not len(observed):
        return observed.new_zeros(0)
    return energy.length(residuals(problem, state, observed)).mean(-1)
