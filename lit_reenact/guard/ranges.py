"""Range of a target's training frames: an interval for each channel, and a distance for all channels together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.geometry import axis_angle_to_matrix, euler_to_matrix, matrix_to_axis_angle, matrix_to_euler
from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.face import load_face_model
from lit_reenact.transfer import mean_rotation

RARE = 0.005
"""Share of the training frames, at either end of a channel, that is too rare to count: a network hardly learns from two frames,
and errors of the tracker are as short."""

COMPARED = 1000
"""Largest number of training frames, evenly spaced, that a driving frame is compared with."""

NEAR = 3.0
"""Smallest distance, in margins, that counts as far from training: nine channels that each differ by their margin."""


@dataclass(frozen=True)
class Channel:
    """Quantity that the guard watches in every frame.

    Attributes:
        name: name in reports.
        unit: unit of the value; empty if it has none.
        margin: distance outside the training range that is still accepted, in this unit: tracking error, or too little to see.
    """

    name: str
    unit: str
    margin: float


POSE = (
    *(Channel(name, "deg", 2.0) for name in ("yaw", "pitch", "roll")),
    *(Channel(name, "mm", margin) for name, margin in (("sideways", 3.0), ("down", 3.0), ("depth", 15.0))),
)
GAZE = tuple(Channel(f"{side} eye {angle}", "deg", 3.0) for side in ("left", "right") for angle in ("yaw", "pitch"))
LIGHT = tuple(Channel(name, "", 0.1) for name in ("brightness", "light from below", "light from behind", "light from the right"))
"""Mean over the colours of the first four spherical harmonics; "right" is the right of the picture."""


@dataclass(frozen=True)
class SeenRange:
    """Range of a target's training frames.

    Attributes:
        channels: K channels: pose, each expression by name, gaze, light.
        mean_pose: float64 (3, 3) mean head rotation, from which yaw, pitch and roll are counted.
        low: float64 (K,) lower end of each channel without the rarest frames, minus its margin.
        high: float64 (K,) upper end of each channel without the rarest frames, plus its margin.
        frames: float64 (S, K) channels of up to ``COMPARED`` training frames.
        spacing: distance, in margins, that all but the share ``RARE`` of the training frames keep to the nearest one more than a
            second away; infinite if training was too short to say.

    Example:
        >>> seen = SeenRange.of(target)
        >>> outside = channel_values(parameters, seen.mean_pose) > seen.high
    """

    channels: tuple[Channel, ...]
    mean_pose: Tensor
    low: Tensor
    high: Tensor
    frames: Tensor
    spacing: float

    @classmethod
    def of(cls, target: Track) -> SeenRange:
        """Return the range of a target's training frames.

        Raises:
            ReenactError: no training frame shows a face.
        """
        training = slice(0, target.info.actor_frames)
        numbers = target.valid[training].nonzero()[:, 0]
        if not len(numbers):
            raise ReenactError(f"no training frame of {target.info.source} shows a face: track a clip that does")
        seen = target.parameters[numbers]
        names = load_face_model(target.info.face_model).expression_names
        channels = (*POSE, *(Channel(name, "", 0.05) for name in names), *GAZE, *LIGHT)
        mean_pose = mean_rotation(seen.rotation)
        values, margin = channel_values(seen, mean_pose), _margins(channels)
        few = torch.linspace(0, len(values) - 1, min(COMPARED, len(values))).long()
        apart = (numbers[few][:, None] - numbers[few]).abs() > float(Fraction(target.info.fps))
        low, high = (values.quantile(part, 0) for part in (RARE, 1 - RARE))
        comparable = _comparable(values[few], channels)
        between = torch.cdist(comparable, comparable).where(apart, torch.inf).amin(1)
        known = between[between.isfinite()]
        spacing = max(NEAR, float(known.quantile(1 - RARE))) if len(known) else float("inf")
        return cls(channels, mean_pose, low - margin, high + margin, values[few], spacing)

    def distance(self, values: Tensor) -> Tensor:
        """Return the distance (T,) of frames (T, K) to the nearest training frame; above 1 a frame resembles none of them."""
        among = _comparable(self.frames, self.channels)
        nearest = [torch.cdist(part, among).amin(1) for part in torch.split(_comparable(values, self.channels), COMPARED)]
        return torch.cat(nearest) / self.spacing


def channel_values(parameters: FaceParameters, mean_pose: Tensor) -> Tensor:
    """Return the channels of ``SeenRange`` in T frames: float64 (T, K), in the channels' units."""
    turns = matrix_to_euler(axis_angle_to_matrix(parameters.rotation.double()) @ mean_pose.T).rad2deg()
    light = parameters.illumination.double().view(-1, 9, 3)[:, : len(LIGHT)].mean(-1)
    rest = (parameters.translation, parameters.expression, parameters.gaze.rad2deg())
    return torch.cat([turns, *(series.double() for series in rest), light], 1)


def replace_channel_values(parameters: FaceParameters, values: Tensor, limited: Tensor, mean_pose: Tensor) -> FaceParameters:
    """Replace the channels of parameters; where old and new values are equal, the parameters stay bit for bit the same.

    Args:
        parameters: T frames.
        values: (T, K) ``channel_values`` of the parameters.
        limited: (T, K) values to set.
        mean_pose: (3, 3) mean head rotation, from which yaw, pitch and roll are counted.
    """
    sizes = [3, 3, parameters.expression.shape[1], len(GAZE), len(LIGHT)]
    turns, place, expression, gaze, _ = torch.split(limited, sizes, 1)
    changed = torch.split(values != limited, sizes, 1)
    matrix = euler_to_matrix(turns.deg2rad()) @ mean_pose
    lit = parameters.illumination.double().view(-1, 9, 3).clone()
    lit[:, : len(LIGHT)] += (limited - values)[:, -len(LIGHT) :, None]
    candidates = {
        "rotation": (changed[0].any(1, keepdim=True), matrix_to_axis_angle(matrix)),
        "translation": (changed[1], place),
        "expression": (changed[2], expression),
        "gaze": (changed[3], gaze.deg2rad()),
        "illumination": (changed[4].any(1, keepdim=True), lit.flatten(1)),
    }
    own = {name: getattr(parameters, name) for name in candidates}
    return parameters.replace(
        **{name: torch.where(where, new.to(own[name]), own[name]) for name, (where, new) in candidates.items()}
    )


def _margins(channels: Sequence[Channel]) -> Tensor:
    return torch.tensor([channel.margin for channel in channels], dtype=torch.float64)


def _comparable(values: Tensor, channels: Sequence[Channel]) -> Tensor:
    """Return pose, expression and gaze (T, K - 4) in margins, in which a visible difference has the same size for all."""
    return (values / _margins(channels))[:, : -len(LIGHT)]
