"""Modes, gain and smoothing of a channel: pure functions on series (T, C), and their counterparts for rotations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, flip, matrix_to_axis_angle
from lit_reenact.core.schema import Actor
from lit_reenact.face.eyelids import BLINKS, closing_blink
from lit_reenact.face.model import FaceModel
from lit_reenact.transfer.policy import Mode
from lit_reenact.transfer.relative import carry, limit_softly, mean_rotation, nearest_rotation, transfer_rotation, turns_from
from lit_reenact.video.cuts import shots

LARGEST_RATIO = 2.0
"""Largest factor between the spreads of two people's motion, and the inverse of the smallest. A person who moves three times as
much does something else, and one who hardly moves shows the tracker's errors."""

EYE_RANGE = (math.radians(30), math.radians(20))
"""Yaw and pitch up to which an eye turns freely to the camera, radians; a soft limit ends at 45 and 30 degrees."""

TRACKED_LOOK = math.radians(-5)
"""Pitch of a tracked look into the camera relative to the line from the tracked eyeballs to the camera, radians. In six clips of
people who mostly look into it, the median over open eyes is -3 to -7 degrees; one millimetre of eyeball height makes five."""


def play(length: int, frames: int) -> Tensor:
    """Return frame numbers int64 (frames,) that play a clip of ``length`` frames forward and back: 0 1 2 1 0 1 ... for three."""
    period = max(1, 2 * (length - 1))
    phase = torch.arange(frames) % period
    return torch.minimum(phase, period - phase) if length > 1 else phase


def follow(mode: Mode, source: Tensor, target: Tensor, training: Tensor, references: tuple[Tensor, Tensor]) -> Tensor:
    """Apply a mode to a channel that can be added and scaled.

    Args:
        mode: any mode but ``camera``.
        source: (T, C) values of the source.
        target: (T, C) values of the target.
        training: (T', C) values of the target's training frames.
        references: (C,) values of the source's reference frame, (C,) values of the target's.

    Returns:
        (T, C).
    """
    if mode == "typical":
        return training.mean(0).expand_as(target)
    if mode == "reference":
        return references[1] + (source - references[0])
    if mode == "relative":
        return training.mean(0) + (source - source.mean(0))
    if mode == "matched":
        return _match_spread(source, training)
    return target if mode == "target" else source


def _match_spread(source: Tensor, training: Tensor) -> Tensor:
    """Shift and scale a series (T, C) to the mean of another, (T', C), and to its spread as far as ``ratio`` allows."""
    return training.mean(0) + (source - source.mean(0)) * ratio(training.std(0, correction=0), source.std(0, correction=0))


def follow_rotation(mode: Mode, source: Tensor, target: Tensor, training: Tensor, references: tuple[Tensor, Tensor]) -> Tensor:
    """Apply a mode to rotations, axis-angle (T, 3): turns are composed instead of added, and scaled about their axes.

    Args:
        mode: any mode but ``camera``.
        source: (T, 3) rotations of the source.
        target: (T, 3) rotations of the target.
        training: (T', 3) rotations of the target's training frames.
        references: (3,) rotation of the source's reference frame, (3,) rotation of the target's.

    Returns:
        (T, 3).
    """
    if mode == "typical":
        return matrix_to_axis_angle(mean_rotation(training)).to(training.dtype).expand_as(target)
    if mode == "reference":
        start, onto = axis_angle_to_matrix(torch.stack(references).double())
        return carry(source, start, onto)
    if mode == "relative":
        return transfer_rotation(source, training)
    if mode == "matched":
        turns, usual = turns_from(source, mean_rotation(source)), turns_from(training, mean_rotation(training))
        turns = turns * ratio(usual.std(0, correction=0), turns.std(0, correction=0))
        return matrix_to_axis_angle(axis_angle_to_matrix(turns) @ mean_rotation(training)).to(source.dtype)
    return target if mode == "target" else source


def match_expression(source: Tensor, training: Tensor, names: Sequence[str], signed: Tensor) -> Tensor:
    """Give expressions the mean and the spread of another person's: the mode ``matched`` for coefficients.

    Coefficients that are never negative are scaled by one factor, the ratio of root mean squares, so that 0 stays 0. A shifted
    mean would leave the lips of someone who mostly speaks ajar at every m, b and p. ``mouthClose``, which closes the gap that
    ``jawOpen`` opens, takes the factor of ``jawOpen``. Signed coefficients, which pull to a side, are shifted too.

    Args:
        source: (T, K) coefficients of the source.
        training: (T', K) coefficients of the target's training frames.
        names: names of the K coefficients.
        signed: bool (K,), the coefficients that can be negative.

    Returns:
        (T, K).
    """
    factor = ratio(training.square().mean(0).sqrt(), source.square().mean(0).sqrt())
    if {"jawOpen", "mouthClose"} <= set(names):
        factor[names.index("mouthClose")] = factor[names.index("jawOpen")]
    return torch.where(signed, _match_spread(source, training), source * factor)


def lid_ratio(model: FaceModel, source: Tensor, target: Tensor) -> Tensor:
    """Return factors (K,) on the source's expressions that shut the target's eyes as far; 1 for all but blinks.

    A coefficient moves everyone's lids by equally many millimetres, so that what shuts small eyes leaves large ones ajar.

    Args:
        model: face model of both people.
        source: (468, 3) landmarks of the source's neutral face, mm.
        target: (468, 3) landmarks of the target's neutral face, mm.
    """
    factors = torch.ones(len(model.expression_names))
    if set(BLINKS) <= set(model.expression_names):
        blinks = [model.expression_names.index(name) for name in BLINKS]
        factors[blinks] = ratio(closing_blink(model, target), closing_blink(model, source))
    return factors


def ratio(target: Tensor, source: Tensor) -> Tensor:
    """Return the factors from the source's size to the target's, limited by ``LARGEST_RATIO``."""
    smallest = torch.finfo(source.dtype).tiny
    return (target / source.clamp_min(smallest)).clamp(1 / LARGEST_RATIO, LARGEST_RATIO)


def amplify(values: Tensor, rest: Tensor, gain: float) -> Tensor:
    """Multiply the departure of a series (T, C) from ``rest`` (C,) by a gain; a gain of 1 returns the same tensor."""
    return values if gain == 1 else rest + gain * (values - rest)


def amplify_rotation(rotation: Tensor, rest: Tensor, gain: float) -> Tensor:
    """Multiply the turns of rotations (T, 3) from the pose ``rest``, float64 (3, 3), by a gain."""
    if gain == 1:
        return rotation
    return matrix_to_axis_angle(axis_angle_to_matrix(gain * turns_from(rotation, rest)) @ rest).to(rotation.dtype)


def smooth(values: Tensor, frames: float, cuts: tuple[int, ...]) -> Tensor:
    """Smooth a series (T, C) within each shot by a Gaussian of this standard deviation, frames; 0 returns the same tensor."""
    if frames == 0:
        return values
    parts = [values[start:stop].double().numpy() for start, stop in shots(cuts, len(values))]
    smoothed = [torch.from_numpy(gaussian_filter1d(part, frames, axis=0, mode="nearest")) for part in parts]
    return torch.cat(smoothed).to(values.dtype)


def smooth_rotation(rotation: Tensor, frames: float, cuts: tuple[int, ...]) -> Tensor:
    """Smooth rotations, axis-angle (T, 3), by the weighted chordal mean of the rotations around each frame."""
    if frames == 0:
        return rotation
    matrices = smooth(axis_angle_to_matrix(rotation.double()).flatten(1), frames, cuts).view(-1, 3, 3)
    return matrix_to_axis_angle(nearest_rotation(matrices)).to(rotation.dtype)


def look_into_camera(rotation: Tensor, translation: Tensor, training: Tensor, actor: Actor) -> Tensor:
    """Return the gaze with which a head looks into the camera, as far as its eyes turn (``EYE_RANGE``).

    Both eyes look along the line from the middle between them. They keep their usual angle to each other, since it depends on
    the accuracy of the two eyeballs' places; so does the pitch of the look (``TRACKED_LOOK``), which is accurate to two or three
    degrees. The renderer draws the gaze minus the actor's ``gaze_offset``, which is therefore added here.

    Args:
        rotation: (T, 3) axis-angle of the head.
        translation: (T, 3) translation of the head, mm.
        training: (T', 4) gaze of the target's training frames, radians.
        actor: actor of the target.

    Returns:
        (T, 4) gaze, radians.
    """
    towards = -(translation.double() * flip(translation).double())[:, None] @ axis_angle_to_matrix(rotation.double())
    ray = torch.nn.functional.normalize(towards[:, 0] - actor.eyeballs.double().mean(0), dim=-1)  # (T, 3) head axes
    angles = torch.stack([torch.atan2(ray[:, 0], ray[:, 2]), torch.asin(ray[:, 1].clamp(-1, 1)) + TRACKED_LOOK], -1)
    furthest = angles.new_tensor(EYE_RANGE)
    together = limit_softly(angles, -furthest, furthest)
    apart = (training[:, :2] - training[:, 2:]).median(0).values / 2
    return (torch.cat([together + apart, together - apart], -1) + actor.gaze_offset).to(rotation.dtype)
