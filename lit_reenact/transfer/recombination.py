"""Transfer: two tracks and a policy to the parameters that drive the target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.face import FaceModel, load_face_model
from lit_reenact.transfer.channels import (
    amplify,
    amplify_rotation,
    follow,
    follow_rotation,
    lid_ratio,
    look_into_camera,
    match_expression,
    smooth,
    smooth_rotation,
)
from lit_reenact.transfer.pair import Pair, is_same_recording, make_pair, timing_track
from lit_reenact.transfer.policy import ADAPTING, ChannelPolicy, TransferPolicy
from lit_reenact.transfer.presets import PRESETS
from lit_reenact.transfer.relative import mean_rotation, transfer_translation


def transfer(source: Track | None, target: Track, policy: TransferPolicy) -> FaceParameters:
    """Drive the target with the source, channel by channel as a policy says.

    A recording that drives itself needs no adaptation: if clip and actor of the source equal the target's bit for bit, the modes
    of ``ADAPTING`` give the source's parameters unchanged. Every preset but ``eye-contact`` then returns the track unchanged.

    Blinks carry over as a share of the way to shut lids (``lid_ratio``), every other expression as it is. Expressions that a
    mode, a gain or other lids push beyond the face model's bounds are clamped to them.

    Args:
        source: track of the person who drives; ignored if the policy needs none.
        target: track of the person who is driven. Only the frames that it plays and its training frames matter.
        policy: mode, gain and smoothing of each channel.

    Returns:
        Parameters of as many frames as the source has, or as the target has if the policy needs no source.

    Raises:
        ReenactError: the source is missing or too short for a mean; the face models differ; a reference frame does not exist;
            frames of two rates would be shown together; no training frame of the target shows a face; or mouth and upper face
            have different policies, but the face model does not separate them.

    Example:
        >>> driven = transfer(source, target, PRESETS["dubbing"])
    """
    timing = timing_track(source, target, policy)
    if policy.needs_source and is_same_recording(timing, target):
        plain: dict[str, Any] = {n: replace(c, mode="source") for n, c in policy.channels.items() if c.mode in ADAPTING}
        policy = replace(policy, **plain)
    pair = make_pair(timing, target, policy)
    rotation, translation = _rotation(pair, policy.rotation), _translation(pair, policy.translation)
    return FaceParameters(
        rotation=rotation,
        translation=translation,
        identity=_identity(pair, policy.identity),
        expression=_expression(pair, policy, target.info.face_model),
        illumination=_illumination(pair, policy.illumination),
        gaze=_gaze(pair, policy.gaze, rotation, translation),
    )


def reenact(source: Track, target: Track) -> FaceParameters:
    """Reenact the full head (the paper, section 4.2), as ``transfer`` does with the preset ``full``.

    Identity and light are the target's, all motion is the source's. The pose is relative to the mean of each actor, so that
    another camera position or sitting posture does not carry over, and the head turns on the target's own neck. Expression is
    absolute, and so is gaze, because each track's gaze is calibrated to its own actor.

    Args:
        source: track of the person who drives.
        target: track of the person who is driven.

    Returns:
        Parameters of as many frames as the source has.
    """
    return transfer(source, target, PRESETS["full"])


def _rotation(pair: Pair, policy: ChannelPolicy) -> Tensor:
    rotation = follow_rotation(policy.mode, *pair.channel("rotation"))
    rotation = amplify_rotation(rotation, mean_rotation(pair.training.rotation), policy.gain)
    return smooth_rotation(rotation, policy.smoothing * pair.fps, pair.cuts)


def _translation(pair: Pair, policy: ChannelPolicy) -> Tensor:
    source, target, training, references = pair.channel("translation")
    if policy.mode == "relative":
        place = transfer_translation(pair.source, pair.training)
    elif policy.mode == "reference":  # depth as a ratio, as in transfer_translation
        start, onto = references
        place = onto + (source - start) * torch.stack([*start.new_ones(2), onto[2] / start[2]])
    else:
        place = follow(policy.mode, source, target, training, references)
    return pair.finish(place, training.mean(0), policy)


def _identity(pair: Pair, policy: ChannelPolicy) -> Tensor:
    own = pair.target_actor.identity
    shape = pair.source.identity if policy.mode == "source" else own.expand(len(pair.source), -1)
    return pair.finish(shape, own, policy)


def _illumination(pair: Pair, policy: ChannelPolicy) -> Tensor:
    light = follow(policy.mode, *pair.channel("illumination"))
    return pair.finish(light, pair.training.illumination.mean(0), policy)


def _gaze(pair: Pair, policy: ChannelPolicy, rotation: Tensor, translation: Tensor) -> Tensor:
    if policy.mode == "camera":
        gaze = look_into_camera(rotation, translation, pair.training.gaze, pair.target_actor)
    else:
        gaze = follow(policy.mode, *pair.channel("gaze"))
    return pair.finish(gaze, gaze.new_zeros(4), policy)


def _expression(pair: Pair, policy: TransferPolicy, face_model: str) -> Tensor:
    model = load_face_model(face_model)
    parts = [expression_part(name) for name in model.expression_names]
    if None in parts and policy.mouth != policy.upper_face:
        raise ReenactError(
            f"the face model {face_model} has expressions without a name, which move mouth and upper face together: give both "
            "the same mode, gain and smoothing, or track with the built-in model"
        )
    lids = lid_ratio(model, *(model.landmarks(actor.neutral) for actor in (pair.source_actor, pair.target_actor)))
    expression = torch.empty_like(pair.source.expression)
    for part in ("mouth", "upper_face", "blink"):
        columns = [k for k, own in enumerate(parts) if (own or "upper_face") == part]
        expression[:, columns] = _part_of_expression(pair, getattr(policy, part), model, columns, lids[columns])
    return expression


def _part_of_expression(pair: Pair, policy: ChannelPolicy, model: FaceModel, columns: list[int], lids: Tensor) -> Tensor:
    """Transfer the expressions of some columns, after scaling the source's by factors for its lids."""
    source, target, training, references = pair.channel("expression")
    source, target, training = source[:, columns] * lids, target[:, columns], training[:, columns]
    low, high = model.expression_bounds[columns].to(source).unbind(-1)
    if policy.mode == "matched":
        values = match_expression(source, training, [model.expression_names[k] for k in columns], low < 0)
    else:
        start, onto = references[0][columns] * lids, references[1][columns]
        values = follow(policy.mode, source, target, training, (start, onto))
    values = amplify(values, torch.zeros_like(low), policy.gain)
    if policy.mode in ADAPTING or policy.gain != 1 or (lids != 1).any():
        values = values.clamp(low, high)
    return smooth(values, policy.smoothing * pair.fps, pair.cuts)


def expression_part(name: str) -> str | None:
    """Return the part of a ``TransferPolicy`` that an expression belongs to; None if its name does not say."""
    if name.startswith("component"):
        return None
    if name.startswith(("jaw", "mouth", "tongue", "cheekPuff")):
        return "mouth"
    return "blink" if name.startswith("eyeBlink") else "upper_face"
