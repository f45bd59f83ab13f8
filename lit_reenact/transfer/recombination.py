"""Two tracks and a policy to the parameters of the video that is to be made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.face import load_face_model
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
from lit_reenact.transfer.pair import Pair, checked_pair, driver_of, same_recording
from lit_reenact.transfer.policy import ADAPTING, ChannelPolicy, TransferPolicy
from lit_reenact.transfer.presets import PRESETS
from lit_reenact.transfer.relative import mean_rotation, transfer_translation


def transfer(source: Track | None, target: Track, policy: TransferPolicy) -> FaceParameters:
    """Drive the target with the source, channel by channel as the policy says.

    A recording that drives itself needs no adapting: where the source's clip and actor are the target's own, to the bit, the
    modes of ``ADAPTING`` give the source's parameters as they are. So every preset but ``eye-contact`` returns such a track
    unchanged.

    Blinks carry over as the share of the way to shut lids (``lid_ratio``); every other expression as it is.

    An expression that a mode, a gain or other lids bring out of the face model's bounds is clamped to them.

    Args:
        source: who drives; not looked at where the policy needs none.
        target: who is driven. Beside the frames that it plays, only its training frames are looked at.
        policy: see there.

    Returns:
        As many frames as the source has; as the target, where the policy needs no source.

    Raises:
        ReenactError: there is no source but the policy needs one; the tracks were made with different face models; the source is
            too short to have a mean; a reference frame does not exist; frames of two rates would be shown together; mouth and
            upper face come from different places in a face model that does not tell them apart; the target was never seen.
    """
    driver = driver_of(source, target, policy)
    if policy.needs_source and same_recording(driver, target):
        plain: dict[str, Any] = {n: replace(c, mode="source") for n, c in policy.channels.items() if c.mode in ADAPTING}
        policy = replace(policy, **plain)
    pair = checked_pair(driver, target, policy)
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
    """Full head reenactment (the paper, section 4.2): the target's identity and light, the source's everything else.

    Pose is relative to the mean of each actor, so that another camera position or sitting posture does not carry over, and the
    head turns on the target's own neck; expression is absolute; gaze is absolute, for each track's gaze is calibrated to its
    own actor. It is the preset ``full`` of ``transfer``; see there for arguments and errors.
    """
    return transfer(source, target, PRESETS["full"])


def _rotation(pair: Pair, policy: ChannelPolicy) -> Tensor:
    rotation = follow_rotation(policy.mode, *pair.of("rotation"))
    rotation = amplify_rotation(rotation, mean_rotation(pair.seen.rotation), policy.gain)
    return smooth_rotation(rotation, policy.smoothing * pair.fps, pair.cuts)


def _translation(pair: Pair, policy: ChannelPolicy) -> Tensor:
    driving, played, seen, rest = pair.of("translation")
    if policy.mode == "relative":
        place = transfer_translation(pair.driving, pair.seen)
    elif policy.mode == "reference":  # depth as a ratio, as in transfer_translation
        place = rest[1] + (driving - rest[0]) * torch.stack([*rest[0].new_ones(2), rest[1][2] / rest[0][2]])
    else:
        place = follow(policy.mode, driving, played, seen, rest)
    return pair.finished(place, seen.mean(0), policy)


def _identity(pair: Pair, policy: ChannelPolicy) -> Tensor:
    own = pair.actor.identity
    shape = pair.driving.identity if policy.mode == "source" else own.expand(len(pair.driving), -1)
    return pair.finished(shape, own, policy)


def _illumination(pair: Pair, policy: ChannelPolicy) -> Tensor:
    light = follow(policy.mode, *pair.of("illumination"))
    return pair.finished(light, pair.seen.illumination.mean(0), policy)


def _gaze(pair: Pair, policy: ChannelPolicy, rotation: Tensor, translation: Tensor) -> Tensor:
    if policy.mode == "camera":
        gaze = look_into_camera(rotation, translation, pair.seen.gaze, pair.actor)
    else:
        gaze = follow(policy.mode, *pair.of("gaze"))
    return pair.finished(gaze, gaze.new_zeros(4), policy)


def _expression(pair: Pair, policy: TransferPolicy, face_model: str) -> Tensor:
    """Part by part: mouth, upper face and blinks."""
    model = load_face_model(face_model)
    parts = [expression_part(name) for name in model.expression_names]
    if None in parts and policy.mouth != policy.upper_face:
        raise ReenactError(
            f"the face model {face_model} has expressions without a name, which move mouth and upper face together: give both "
            "the same mode, gain and smoothing, or track with the built-in model"
        )
    driving, played, seen, rest = pair.of("expression")
    lids = lid_ratio(model, *(model.landmarks(actor.neutral) for actor in (pair.driver, pair.actor)))
    driving, rest = driving * lids, (rest[0] * lids, rest[1])
    made = torch.empty_like(driving)
    for part in ("mouth", "upper_face", "blink"):
        channel: ChannelPolicy = getattr(policy, part)
        own = [k for k, other in enumerate(parts) if (other or "upper_face") == part]
        low, high = model.expression_bounds[own].to(driving).unbind(-1)
        if channel.mode == "matched":
            chosen = match_expression(driving[:, own], seen[:, own], [model.expression_names[k] for k in own], low < 0)
        else:
            references = (rest[0][own], rest[1][own])
            chosen = follow(channel.mode, driving[:, own], played[:, own], seen[:, own], references)
        chosen = amplify(chosen, torch.zeros_like(low), channel.gain)
        if channel.mode in ADAPTING or channel.gain != 1 or (lids[own] != 1).any():
            chosen = chosen.clamp(low, high)
        made[:, own] = smooth(chosen, channel.smoothing * pair.fps, pair.cuts)
    return made


def expression_part(name: str) -> str | None:
    """The part of the face that an expression of a face model moves, as in ``TransferPolicy``; None if its name does not tell."""
    if name.startswith("component"):
        return None
    if name.startswith(("jaw", "mouth", "tongue", "cheekPuff")):
        return "mouth"
    return "blink" if name.startswith("eyeBlink") else "upper_face"
