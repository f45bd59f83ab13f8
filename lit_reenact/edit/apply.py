"""Application of sliders to ``FaceParameters``. A slider at its default changes no bit."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, euler_to_matrix, flip, matrix_to_axis_angle, matrix_to_euler
from lit_reenact.core.schema import Actor, FaceParameters, Track
from lit_reenact.edit.light import LIGHT_SCALES, change_light
from lit_reenact.edit.proportions import FIELDS, proportions
from lit_reenact.edit.sliders import IDENTITY, sliders_of
from lit_reenact.edit.tracks import Edit
from lit_reenact.face import FaceModel
from lit_reenact.face.eyelids import BLINKS, closing_blink
from lit_reenact.transfer import mean_rotation, neck

OPENING = ("eyeWide", "eyeSquint")
"""Expressions that a shut eye does not show."""

SliderValues = Mapping[str, Tensor]
"""Values of sliders by name, float32 (T,)."""


def apply_edit(
    edit: Edit,
    parameters: FaceParameters,
    model: FaceModel,
    fps: Fraction,
    neck: Tensor | None = None,
    actor: Actor | None = None,
) -> FaceParameters:
    """Edit the parameters of a clip.

    Args:
        edit: sliders and their keyframes.
        parameters: parameters of all T frames of the clip.
        model: face model of the parameters.
        fps: frames per second.
        neck: (3, 3) from ``neck_of``, mm per radian: turning the head also moves it. Without it the head turns in place.
        actor: actor of the track, for whom a closed eye is one whose lids meet (``closing_blink``). Without it, a blink of 1.

    Returns:
        The edited parameters of T frames. Channels that no slider changes are the same tensors.

    Raises:
        ReenactError: a keyframe lies outside the clip.
    """
    return apply_sliders(edit.values(len(parameters), fps), parameters, model, neck, actor)


def apply_sliders(
    values: Mapping[str, Tensor],
    parameters: FaceParameters,
    model: FaceModel,
    neck: Tensor | None = None,
    actor: Actor | None = None,
) -> FaceParameters:
    """Edit parameters by given slider values, each frame on its own.

    Args:
        values: slider values (T,) by the names of ``sliders_of``.
        parameters: parameters of T frames.
        model: face model of the parameters.
        neck: (3, 3) from ``neck_of``, mm per radian; without it the head turns in place.
        actor: actor of the track, whose lids meet in a closed eye; without it, a closed eye is a full blink.

    Returns:
        The edited parameters of T frames. Channels that no slider changes are the same tensors.
    """
    table = sliders_of(model)
    moved = {name: value for name, value in values.items() if bool((value != table[name].default).any())}
    parameters = _shape(_turn(parameters, moved, neck), moved, model)
    parameters = _move(parameters, moved)
    return parameters.replace(
        expression=_close_eyes(_express(parameters.expression, moved, model), moved, model, actor),
        gaze=_look(parameters.gaze, moved),
        illumination=_light(parameters.illumination, moved),
    )


def neck_of(track: Track) -> Tensor:
    """Return the motion of a head as it turns, (3, 3) in mm per radian (``transfer.neck``), from its training frames."""
    seen = track.parameters[: track.info.actor_frames][track.valid[: track.info.actor_frames]]
    turns = matrix_to_axis_angle(axis_angle_to_matrix(seen.rotation.double()) @ mean_rotation(seen.rotation).T)
    return neck(turns - turns.mean(0), (seen.translation - seen.translation.mean(0)).double())


def _columns(moved: SliderValues, *names: str) -> Tensor | None:
    """Stack the values of N sliders, (T, N), with 0 for those at their default; None if all are."""
    if not any(name in moved for name in names):
        return None
    still = torch.zeros_like(next(iter(moved.values())))
    return torch.stack([moved.get(name, still) for name in names], -1)


def _turn(parameters: FaceParameters, moved: SliderValues, neck: Tensor | None) -> FaceParameters:
    """Add yaw, pitch and roll to the head's own angles, as the tracker measures them, so that none changes another."""
    degrees = _columns(moved, "head_yaw", "head_pitch", "head_roll")
    if degrees is None:
        return parameters
    before = axis_angle_to_matrix(parameters.rotation.double())
    after = euler_to_matrix(matrix_to_euler(before) + degrees.double().deg2rad())
    place = parameters.translation
    if neck is not None:
        place = (place + matrix_to_axis_angle(after @ before.transpose(-1, -2)) @ neck.double()).to(place.dtype)
    return parameters.replace(rotation=matrix_to_axis_angle(after).to(parameters.rotation.dtype), translation=place)


def _shape(parameters: FaceParameters, moved: SliderValues, model: FaceModel) -> FaceParameters:
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


def _move(parameters: FaceParameters, moved: SliderValues) -> FaceParameters:
    place = parameters.translation
    millimetres = _columns(moved, "position_x", "position_y")
    if millimetres is not None:
        place = place + torch.nn.functional.pad(millimetres * millimetres.new_tensor([1, -1]), (0, 1))
    if "position_nearer" in moved:  # along the ray to the head, so that it keeps its place in the picture
        place = place / (1 + moved["position_nearer"][:, None] / 100)
    return parameters.replace(translation=place)


def _express(expression: Tensor, moved: SliderValues, model: FaceModel) -> Tensor:
    shapes = _columns(moved, *model.expression_names)
    if shapes is None and "expression_gain" not in moved:
        return expression
    if "expression_gain" in moved:
        strengthened = torch.tensor(
            [name not in BLINKS for name in model.expression_names]
        )  # a gain on blinks would shut half-open eyes
        expression = torch.where(strengthened, expression * moved["expression_gain"][:, None], expression)
    low, high = model.expression_bounds.unbind(-1)
    return (expression if shapes is None else expression + shapes).clamp(low, high)


def _close_eyes(expression: Tensor, moved: SliderValues, model: FaceModel, actor: Actor | None) -> Tensor:
    names = model.expression_names
    closing = [side for side in ("Left", "Right") if f"close_{side.lower()}_eye" in moved]
    if not closing or not set(BLINKS) <= set(names):
        return expression
    expression = expression.clone()
    shut = torch.ones(2) if actor is None else closing_blink(model, model.landmarks(actor.neutral))
    for side in closing:
        share = moved[f"close_{side.lower()}_eye"]
        blink = names.index(f"eyeBlink{side}")
        target = float(torch.minimum(shut[BLINKS.index(names[blink])], model.expression_bounds[blink, 1]))
        # An eye that is already shut tighter keeps its value.
        expression[:, blink] += share * (target - expression[:, blink]).clamp_min(0)
        for name in (f"{opening}{side}" for opening in OPENING):
            if name in names:
                expression[:, names.index(name)] *= 1 - share
    return expression


def _look(gaze: Tensor, moved: SliderValues) -> Tensor:
    degrees = _columns(moved, "gaze_yaw", "gaze_pitch")
    return gaze if degrees is None else gaze + degrees.deg2rad().repeat(1, 2)


def _light(illumination: Tensor, moved: SliderValues) -> Tensor:
    sliders = _columns(moved, *LIGHT_SCALES)
    return illumination if sliders is None else change_light(illumination, sliders / 100)
