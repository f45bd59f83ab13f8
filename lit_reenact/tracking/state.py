"""The unknowns of the fit to landmarks: pose and expression of a batch of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from lit_reenact.core.geometry import flip, rigid_alignment
from lit_reenact.tracking.problem import Problem


@dataclass(frozen=True)
class State:
    """The unknowns of T frames.

    Attributes:
        rotation: (T, 3, 3) matrices of the head.
        translation: (T, 3) place of the head in the camera, mm.
        expression: (T, K) coefficients.
    """

    rotation: Tensor
    translation: Tensor
    expression: Tensor

    def __getitem__(self, frames: slice | Tensor) -> State:
        return State(self.rotation[frames], self.translation[frames], self.expression[frames])


def concatenate(parts: Sequence[State]) -> State:
    """Join the states of consecutive runs of frames."""
    return State(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(State)))


def initial_state(problem: Problem, points: Tensor) -> State:
    """Return the pose of a rigid head in closed form, with an expression of 0.

    Args:
        problem: neutral landmarks, their weights and the camera.
        points: (T, L, 3) landmarks with their true depth, pixels.
    """
    camera = problem.camera
    rotation, scale, offset = rigid_alignment(points * flip(points), problem.neutral, problem.landmark_weight)
    depth = camera.focal / scale
    place = offset * flip(offset) - offset.new_tensor([camera.width / 2, camera.height / 2, 0])
    translation = torch.stack([place[:, 0] / scale, place[:, 1] / scale, depth], -1)
    return State(rotation, translation, points.new_zeros(len(points), len(problem.basis)))


def clamp_expression(problem: Problem, expression: Tensor) -> Tensor:
    """Clamp coefficients (T, K) to their bounds and ties."""
    low, high = problem.bounds.unbind(-1)
    clamped = torch.maximum(torch.minimum(expression, high), low)
    for lower, upper in problem.ties:
        clamped[:, lower] = torch.minimum(clamped[:, lower], clamped[:, upper])
    return clamped
