"""Sliders applied to ``FaceParameters``. A slider that stands at its default changes not a bit."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, euler_to_matrix, flip, matrix_to_axis_angle, matrix_to_euler
from lit_reenact.core.schema import Actor, FaceParameters, Track
from lit_reenact.edit.light import SCALES, lit
from lit_reenact.edit.proportions import FIELDS, proportions
from lit_reenact.edit.sliders import IDENTITY, sliders_of
from lit_reenact.edit.tracks import Edit
from lit_reenact.face import FaceModel
from lit_reenact.face.eyelids import BLINKS, shut_at
from lit_reenact.transfer import mean_rotation, neck

OPENING = ("eyeWide", "eyeSquint")
"""What a shut eye has none of."""

Moved = Mapping[str, Tensor]
"""The sliders that are not at their default, by name: float32 (T,)."""


def apply_edit(
    edit: Edit,
    parameters: FaceParameters,
    model: FaceModel,
    fps: Fraction,
    neck: Tensor | None = None,
    actor: Actor | None = None,
) -> FaceParameters:
    """Edit a clip.

    Args:
        edit: what to do and when.
        parameters: of all frames of the clip, T in all.
        model: face model of the parameters.
        fps: frames per second.
        neck: (3, 3), see ``neck_of``: a head that is turned also moves on it. Without it, it turns on the spot.
        actor: whose face it is: a closed eye is one whose lids meet (``shut_at``). Without it, one under a full blink.

    Returns:
        The parameters of as many frames. Channels that no slider touches are the same tensors.

    Raises:
        ReenactError: as ``Edit.values``.
    """
    return apply_sliders(edit.values(len(parameters), fps), parameters, model, neck, actor)


def apply_sliders(
    values: Mapping[str, Tensor],
    parameters: FaceParameters,
    model: FaceModel,
    neck: Tensor | None = None,
    actor: Actor | None = None,
) -> FaceParameters:
    """``apply_edit`` with the sliders' values at hand, each frame by itself.

    Args:
        values: by the names of ``sliders_of``, (T,) each.
        parameters, model, neck, actor: see ``apply_edit``.
    """
    table = sliders_of(model)
    moved = {name: value for name, value in values.items() if bool((value != table[name].default).any())}
    parameters = _shape(_turn(parameters, moved, neck), moved, model)
    parameters = _move(parameters, moved)
    return parameters.replace(
        expression=_shut_eyes(_express(parameters.expression, moved, model), moved, model, actor),
        gaze=_look(parameters.gaze, moved),
        illumination=_light(parameters.illumination, moved),
    )


def neck_of(track: Track) -> Tensor:
    """How a head moves across the picture as it turns: (3, 3) mm per radian (``transfer.neck``) of its training."""
    seen = track.parameters[: track.info.actor_frames][track.valid[: track.info.actor_frames]]
    turns = matrix_to_axis_angle(axis_angle_to_matrix(seen.rotation.double()) @ mean_rotation(seen.rotation).T)
    return neck(turns - turns.mean(0), (seen.translation - seen.translation.mean(0)).double())


def _columns(moved: Moved, *names: str) -> Tensor | None:
    """The sliders of these names side by side, (T, N), those at their default as 0; None if all are."""
    if not any(name in moved for name in names):
        return None
    still = torch.zeros_like(next(iter(moved.values())))
    return torch.stack([moved.get(name, still) for name in names], -1)


def _turn(parameters: FaceParameters, moved: Moved, neck: Tensor | None) -> FaceParameters:
    """Yaw, pitch and roll are added to those of the head, as the tracker measures them: none changes another."""
    degrees = _columns(moved, "head_yaw", "head_pitch", "head_roll")
    if degrees is None:
        return parameters
    before = axis_angle_to_matrix(parameters.rotation.double())
    after = euler_to_matrix(matrix_to_euler(before) + degrees.double().deg2rad())
    place = parameters.translation
    if neck is not None:
        place = (place + matrix_to_axis_angle(after @ before.transpose(-1, -2)) @ neck.double()).to(place.dtype)
    return parameters.replace(rotation=matrix_to_axis_angle(after).to(parameters.rotation.dtype), translation=place)


def _shape(parameters: FaceParameters, moved: Moved, model: FaceModel) -> FaceParameters:
    identity, place = parameters.identity, parameters.translation
    for name, value in moved.items():
        if name in FIELDS:
            proportion, extent = proportions(model)[name], value[:, None] / 100
            shift = axis_angle_to_matrix(parameters.rotation) @ proportion.shift * flip(place)
            identity, place = identity + extent * proportion.identity, place + extent * shift
        elif name.startswith(IDENTITY):
            number = int(name.removeprefix(IDENTITY)) - 1
            step = torch.nn.functional.one_hot(torch.tensor(number), len(model.identity_scale)) * model.identity_scale
            identity = identity + value[:, None] * step
    return parameters.replace(identity=identity, translation=place)


def _move(parameters: FaceParameters, moved: Moved) -> FaceParameters:
    place = parameters.translation
    millimetres = _columns(moved, "position_x", "position_y")
    if millimetres is not None:
        place = place + torch.nn.functional.pad(millimetres * millimetres.new_tensor([1, -1]), (0, 1))
    if "position_nearer" in moved:  # along the ray on which the head lies: it stays where it is in the picture
        place = place / (1 + moved["position_nearer"][:, None] / 100)
    return parameters.replace(translation=place)


def _express(expression: Tensor, moved: Moved, model: FaceModel) -> Tensor:
    shapes = _columns(moved, *model.expression_names)
    if shapes is None and "expression_gain" not in moved:
        return expression
    if "expression_gain" in moved:
        strengthened = torch.tensor([name not in BLINKS for name in model.expression_names])  # half-open eyes would fall shut
        expression = torch.where(strengthened, expression * moved["expression_gain"][:, None], expression)
    low, high = model.expression_bounds.unbind(-1)
    return (expression if shapes is None else expression + shapes).clamp(low, high)


def _shut_eyes(expression: Tensor, moved: Moved, model: FaceModel, actor: Actor | None) -> Tensor:
    names = model.expression_names
    closing = [side for side in ("Left", "Right") if f"close_{side.lower()}_eye" in moved]
    if not closing or not set(BLINKS) <= set(names):
        return expression
    expression = expression.clone()
    shut = torch.ones(2) if actor is None else shut_at(model, model.landmarks(actor.neutral))
    for side in closing:
        closed = moved[f"close_{side.lower()}_eye"]
        blink = names.index(f"eyeBlink{side}")
        wanted = float(torch.minimum(shut[BLINKS.index(names[blink])], model.expression_bounds[blink, 1]))
        # An eye that is shut tighter stays so.
        expression[:, blink] += closed * (wanted - expression[:, blink]).clamp_min(0)
        for name in (f"{opening}{side}" for opening in OPENING):
            if name in names:
                expression[:, names.index(name)] *= 1 - closed
    return expression


def _look(gaze: Tensor, moved: Moved) -> Tensor:
    degrees = _columns(moved, "gaze_yaw", "gaze_pitch")
    return gaze if degrees is None else gaze + degrees.deg2rad().repeat(1, 2)


def _light(illumination: Tensor, moved: Moved) -> Tensor:
    sliders = _columns(moved, *SCALES)
    return illumination if sliders is None else lit(illumination, sliders / 100)
