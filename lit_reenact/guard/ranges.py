"""What a target's training frames showed, as a range for each channel and a distance for all of them together."""

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
"""Part of the training frames, on either side of a channel, that is too rare to count as seen: a network hardly learns what
it was shown for two frames, and a tracker's slips are as short."""

COMPARED = 1000
"""Training frames, evenly chosen, that a driven frame is compared with."""


NEAR = 3.0
"""Distance, in margins, within which frames are alike however little else was seen: nine channels that differ by their margin."""


@dataclass(frozen=True)
class Channel:
    """A number that a frame has.

    Attributes:
        name: as a report calls it.
        unit: of the number.
        margin: what may be the tracker's error, or is too little to see: so far over the border is still inside.
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
"""The mean over the colours of the first four spherical harmonics; "right" is the picture's."""


@dataclass(frozen=True)
class SeenRange:
    """What a target's training frames showed.

    Attributes:
        channels: K of them: pose, each expression by name, gaze, light.
        usual: float64 (3, 3) the mean pose, from which yaw, pitch and roll are counted.
        low: float64 (K,) and
        high: float64 (K,) where the channels were, but for the rarest frames at either end, and a margin.
        frames: float64 (S, K) up to ``COMPARED`` of these frames.
        spacing: distance, in margins, from a frame to the nearest one more than a second away, that all but ``RARE`` keep to;
            infinite where training was too short to tell.
    """

    channels: tuple[Channel, ...]
    usual: Tensor
    low: Tensor
    high: Tensor
    frames: Tensor
    spacing: float

    @classmethod
    def of(cls, target: Track) -> SeenRange:
        """Raises ReenactError if no training frame shows a face."""
        training = slice(0, target.info.actor_frames)
        numbers = target.valid[training].nonzero()[:, 0]
        if not len(numbers):
            raise ReenactError(f"no training frame of {target.info.source} shows a face: track a clip that does")
        seen = target.parameters[numbers]
        names = load_face_model(target.info.face_model).expression_names
        channels = (*POSE, *(Channel(name, "", 0.05) for name in names), *GAZE, *LIGHT)
        usual = mean_rotation(seen.rotation)
        values, margin = measured(seen, usual), _margins(channels)
        few = torch.linspace(0, len(values) - 1, min(COMPARED, len(values))).long()
        apart = (numbers[few][:, None] - numbers[few]).abs() > float(Fraction(target.info.fps))
        low, high = (values.quantile(part, 0) for part in (RARE, 1 - RARE))
        comparable = _comparable(values[few], channels)
        between = torch.cdist(comparable, comparable).where(apart, torch.inf).amin(1)
        known = between[between.isfinite()]
        spacing = max(NEAR, float(known.quantile(1 - RARE))) if len(known) else float("inf")
        return cls(channels, usual, low - margin, high + margin, values[few], spacing)

    def unlikeness(self, values: Tensor) -> Tensor:
        """Distance (T,) of frames (T, K) to the nearest training frame, in units of ``spacing``: above 1 is unlike them all."""
        among = _comparable(self.frames, self.channels)
        nearest = [torch.cdist(part, among).amin(1) for part in torch.split(_comparable(values, self.channels), COMPARED)]
        return torch.cat(nearest) / self.spacing


def measured(parameters: FaceParameters, usual: Tensor) -> Tensor:
    """The channels of ``SeenRange`` in T frames: float64 (T, K)."""
    turns = matrix_to_euler(axis_angle_to_matrix(parameters.rotation.double()) @ usual.T).rad2deg()
    light = parameters.illumination.double().view(-1, 9, 3)[:, : len(LIGHT)].mean(-1)
    rest = (parameters.translation, parameters.expression, parameters.gaze.rad2deg())
    return torch.cat([turns, *(series.double() for series in rest), light], 1)


def with_values(parameters: FaceParameters, values: Tensor, limited: Tensor, usual: Tensor) -> FaceParameters:
    """The parameters with ``limited`` (T, K) in place of their ``measured`` values (T, K); bit-equal where those are equal."""
    sizes = [3, 3, parameters.expression.shape[1], len(GAZE), len(LIGHT)]
    turns, place, expression, gaze, _ = torch.split(limited, sizes, 1)
    changed = torch.split(values != limited, sizes, 1)
    matrix = euler_to_matrix(turns.deg2rad()) @ usual
    lit = parameters.illumination.double().view(-1, 9, 3).clone()
    lit[:, : len(LIGHT)] += (limited - values)[:, -len(LIGHT) :, None]
    made = {
        "rotation": (changed[0].any(1, keepdim=True), matrix_to_axis_angle(matrix)),
        "translation": (changed[1], place),
        "expression": (changed[2], expression),
        "gaze": (changed[3], gaze.deg2rad()),
        "illumination": (changed[4].any(1, keepdim=True), lit.flatten(1)),
    }
    own = {name: getattr(parameters, name) for name in made}
    return parameters.replace(**{name: torch.where(where, new.to(own[name]), own[name]) for name, (where, new) in made.items()})


def _margins(channels: Sequence[Channel]) -> Tensor:
    return torch.tensor([channel.margin for channel in channels], dtype=torch.float64)


def _comparable(values: Tensor, channels: Sequence[Channel]) -> Tensor:
    """Pose, expression and gaze (T, K - 4) in margins, so that a visible difference counts alike in each."""
    return (values / _margins(channels))[:, : -len(LIGHT)]
