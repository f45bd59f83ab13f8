"""The modes of a channel, its gain and its smoothing: pure functions on series (T, C), and the same for rotations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, flip, matrix_to_axis_angle
from lit_reenact.core.schema import Actor
from lit_reenact.face.eyelids import BLINKS, shut_at
from lit_reenact.face.model import FaceModel
from lit_reenact.transfer.policy import Mode
from lit_reenact.transfer.relative import carry, limit_softly, mean_rotation, nearest_rotation, transfer_rotation, turns_from
from lit_reenact.video.cuts import shots

LARGEST_RATIO = 2.0
"""Largest factor between two people's spreads, and the inverse of the smallest: who moves three times as much does something
else, and who hardly moves shows the tracker's errors."""

EYE_RANGE = (math.radians(30), math.radians(20))
"""Yaw and pitch up to which an eye turns freely to the camera; with the soft limit never more than 45 and 30 degrees."""

TRACKED_LOOK = math.radians(-5)
"""Pitch of a tracked look into the camera against that from the tracked eyeballs to it: in six clips of people who mostly look
into it, the median over open eyes lies between -3 and -7 degrees. A millimetre in the height of an eyeball makes five."""


def play(length: int, frames: int) -> Tensor:
    """Numbers int64 (frames,) of a clip's frames played forward and back: 0 1 2 1 0 1 ... of three."""
    period = max(1, 2 * (length - 1))
    phase = torch.arange(frames) % period
    return torch.minimum(phase, period - phase) if length > 1 else phase


def follow(mode: Mode, driving: Tensor, played: Tensor, seen: Tensor, rest: tuple[Tensor, Tensor]) -> Tensor:
    """A channel that may be added and scaled.

    Args:
        mode: any but ``camera``.
        driving: (T, C) of the source.
        played: (T, C) of the target.
        seen: (T', C) of the target's training frames.
        rest: (C,) of the source's reference frame, (C,) of the target's.

    Returns:
        (T, C).
    """
    if mode == "typical":
        return seen.mean(0).expand_as(played)
    if mode == "reference":
        return rest[1] + (driving - rest[0])
    if mode == "relative":
        return seen.mean(0) + (driving - driving.mean(0))
    if mode == "matched":
        return seen.mean(0) + (driving - driving.mean(0)) * ratio(seen.std(0, correction=0), driving.std(0, correction=0))
    return played if mode == "target" else driving


def follow_rotation(mode: Mode, driving: Tensor, played: Tensor, seen: Tensor, rest: tuple[Tensor, Tensor]) -> Tensor:
    """``follow`` for axis-angle (T, 3): departures are turns, which are composed, and scaled about their axes."""
    if mode == "typical":
        return matrix_to_axis_angle(mean_rotation(seen)).to(seen.dtype).expand_as(played)
    if mode == "reference":
        start, onto = axis_angle_to_matrix(torch.stack(rest).double())
        return carry(driving, start, onto)
    if mode == "relative":
        return transfer_rotation(driving, seen)
    if mode == "matched":
        turns, usual = turns_from(driving, mean_rotation(driving)), turns_from(seen, mean_rotation(seen))
        turns = turns * ratio(usual.std(0, correction=0), turns.std(0, correction=0))
        return matrix_to_axis_angle(axis_angle_to_matrix(turns) @ mean_rotation(seen)).to(driving.dtype)
    return played if mode == "target" else driving


def match_expression(driving: Tensor, seen: Tensor, names: Sequence[str], signed: Tensor) -> Tensor:
    """Expressions with the mean and the spread that another person's have: mode ``matched`` of coefficients.

    One that is never negative gets both by one factor, the ratio of the root mean squares. So it stays 0 where it is 0; with
    its mean shifted, the lips of someone who mostly speaks would stand ajar at every m, b and p. ``mouthClose``, which undoes
    the gap of ``jawOpen``, keeps its share of it by taking the same factor. Signed ones, which pull to a side, are shifted.

    Args:
        driving: (T, K) coefficients.
        seen: (T', K) of the other person.
        names: of the K coefficients.
        signed: bool (K,) which of them go both ways.

    Returns:
        (T, K).
    """
    factor = ratio(seen.square().mean(0).sqrt(), driving.square().mean(0).sqrt())
    if {"jawOpen", "mouthClose"} <= set(names):
        factor[names.index("mouthClose")] = factor[names.index("jawOpen")]
    shifted = seen.mean(0) + (driving - driving.mean(0)) * ratio(seen.std(0, correction=0), driving.std(0, correction=0))
    return torch.where(signed, shifted, driving * factor)


def lid_ratio(model: FaceModel, driver: Tensor, driven: Tensor) -> Tensor:
    """Factors (K,) on one person's expressions that shut another's eyes as far: of blinks ``shut_at``, of all else 1.

    One coefficient moves everybody's lids by as many millimetres, so what shuts small eyes leaves large ones ajar.

    Args:
        model: of both.
        driver: (468, 3) landmarks of the neutral face of who drives, mm.
        driven: the same of who is driven.
    """
    factors = torch.ones(len(model.expression_names))
    if set(BLINKS) <= set(model.expression_names):
        blinks = [model.expression_names.index(name) for name in BLINKS]
        factors[blinks] = ratio(shut_at(model, driven), shut_at(model, driver))
    return factors


def ratio(wanted: Tensor, given: Tensor) -> Tensor:
    """The factor that makes ``given`` as large as ``wanted``, or goes as far there as ``LARGEST_RATIO`` lets it."""
    smallest = torch.finfo(given.dtype).tiny
    return (wanted / given.clamp_min(smallest)).clamp(1 / LARGEST_RATIO, LARGEST_RATIO)


def amplify(values: Tensor, rest: Tensor, gain: float) -> Tensor:
    """A series (T, C) with its departure from ``rest`` (C,) times ``gain``; the very same one if that is 1."""
    return values if gain == 1 else rest + gain * (values - rest)


def amplify_rotation(rotation: Tensor, rest: Tensor, gain: float) -> Tensor:
    """``amplify`` of turns from the pose ``rest`` (3, 3) in double precision."""
    if gain == 1:
        return rotation
    return matrix_to_axis_angle(axis_angle_to_matrix(gain * turns_from(rotation, rest)) @ rest).to(rotation.dtype)


def smooth(values: Tensor, frames: float, cuts: tuple[int, ...]) -> Tensor:
    """A series (T, C) under a Gaussian of so many frames standard deviation, within each shot; the very same one if that is 0."""
    if frames == 0:
        return values
    parts = [values[start:stop].double().numpy() for start, stop in shots(cuts, len(values))]
    smoothed = [torch.from_numpy(gaussian_filter1d(part, frames, axis=0, mode="nearest")) for part in parts]
    return torch.cat(smoothed).to(values.dtype)


def smooth_rotation(rotation: Tensor, frames: float, cuts: tuple[int, ...]) -> Tensor:
    """``smooth`` for axis-angle (T, 3): the weighted chordal mean of the rotations around each frame."""
    if frames == 0:
        return rotation
    matrices = smooth(axis_angle_to_matrix(rotation.double()).flatten(1), frames, cuts).view(-1, 3, 3)
    return matrix_to_axis_angle(nearest_rotation(matrices)).to(rotation.dtype)


def look_into_camera(rotation: Tensor, translation: Tensor, seen: Tensor, actor: Actor) -> Tensor:
    """The gaze with which a head looks into the camera, as far as its eyes turn (``EYE_RANGE``).

    Both eyes together are directed from the middle between them. To each other they keep the angle that they mostly have, for it
    hangs on how well the two eyeballs were placed; and so does the height of the look (``TRACKED_LOOK``), which is sure to two
    degrees or three. What is drawn is the gaze less the actor's ``gaze_offset``, so that is added here.

    Args:
        rotation: (T, 3) axis-angle of the head.
        translation: (T, 3) of the head, mm.
        seen: (T', 4) gaze of the target's training frames.
        actor: the target's.

    Returns:
        (T, 4).
    """
    towards = -(translation.double() * flip(translation).double())[:, None] @ axis_angle_to_matrix(rotation.double())
    ray = torch.nn.functional.normalize(towards[:, 0] - actor.eyeballs.double().mean(0), dim=-1)  # (T, 3) head axes
    angles = torch.stack([torch.atan2(ray[:, 0], ray[:, 2]), torch.asin(ray[:, 1].clamp(-1, 1)) + TRACKED_LOOK], -1)
    furthest = angles.new_tensor(EYE_RANGE)
    together = limit_softly(angles, -furthest, furthest)
    apart = (seen[:, :2] - seen[:, 2:]).median(0).values / 2
    return (torch.cat([together + apart, together - apart], -1) + actor.gaze_offset).to(rotation.dtype)
