"""Slider values that make one frame look like another."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_euler
from lit_reenact.core.schema import FaceParameters
from lit_reenact.edit import Slider, apply_sliders
from lit_reenact.face import FaceModel

Part = Literal["pose", "expression", "gaze"]
PARTS: tuple[Part, ...] = get_args(Part)

POSE = ("head_yaw", "head_pitch", "head_roll", "position_x", "position_y", "position_nearer")


def match_frame(
    there: FaceParameters, here: FaceParameters, parts: Collection[Part], model: FaceModel, neck: Tensor, table: dict[str, Slider]
) -> dict[str, float]:
    """Return slider values that make one frame look like another, limited to the ranges of the sliders.

    Args:
        there: parameters of the one frame to match.
        here: parameters of the one frame that the sliders change.
        parts: parts of the face to match.
        model: face model of both frames.
        neck: pivot of the head, for ``edit.apply_sliders``.
        table: name to slider, from ``edit.sliders_of`` for this model.
    """
    values: dict[str, float] = {}
    if "pose" in parts:
        values |= _pose(there, here, model, neck)
    if "expression" in parts:
        steps = (there.expression - here.expression)[0].tolist()
        values |= dict(zip(model.expression_names, steps, strict=True))
        values |= {"expression_gain": 1.0, "close_left_eye": 0.0, "close_right_eye": 0.0}
    if "gaze" in parts:
        yaw, pitch = torch.rad2deg(there.gaze - here.gaze).view(2, 2).mean(0).tolist()
        values |= {"gaze_yaw": yaw, "gaze_pitch": pitch}
    return {name: min(max(value, table[name].low), table[name].high) for name, value in values.items()}


def _pose(there: FaceParameters, here: FaceParameters, model: FaceModel, neck: Tensor) -> dict[str, float]:
    turn = torch.rad2deg(_euler(there) - _euler(here))
    turn = (turn + 180) % 360 - 180
    turned = apply_sliders({name: turn[i : i + 1].float() for i, name in enumerate(POSE[:3])}, here, model, neck)
    x, y, z = there.translation[0].tolist()
    from_x, from_y, from_z = turned.translation[0].tolist()
    nearer = from_z / z  # the sliders move a head sideways first, and then along its ray
    return dict(zip(POSE, (*turn.tolist(), x * nearer - from_x, from_y - y * nearer, 100 * (nearer - 1)), strict=True))


def _euler(parameters: FaceParameters) -> Tensor:
    return matrix_to_euler(axis_angle_to_matrix(parameters.rotation.double()))[0]
