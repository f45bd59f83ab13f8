"""Tracks at another frame rate: between two frames rotations turn at a constant speed, and everything else moves at one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from lit_reenact.core.schema import FaceParameters, Landmarks, Track
from lit_reenact.video.cuts import cuts_in


def resample(parameters: FaceParameters, from_fps: Fraction, to_fps: Fraction, cuts: tuple[int, ...] = ()) -> FaceParameters:
    """The same motion at another rate; frame 0 stays where it is.

    Args:
        parameters: T frames.
        from_fps: their frames per second.
        to_fps: those of the result.
        cuts: the first frame after every cut; nothing is mixed over one, nor beyond the last frame: there a frame is held.

    Returns:
        T to_fps / from_fps frames, rounded, at least one; the same object if the rates are equal.
    """
    if from_fps == to_fps:
        return parameters
    at, part = _places(len(parameters), from_fps, to_fps)
    alone = torch.tensor([*(cut - 1 for cut in cuts), len(parameters) - 1])
    part = torch.where(torch.isin(at, alone), 0, part)[:, None]
    before, after = parameters[at], parameters[(at + 1).clamp_max(len(parameters) - 1)]
    names = ("translation", "identity", "expression", "illumination", "gaze")
    mixed = {name: _mixed(getattr(before, name), getattr(after, name), part) for name in names}
    return FaceParameters(rotation=_turned(before.rotation, after.rotation, part), **mixed)


def resampled_cuts(cuts: tuple[int, ...], from_fps: Fraction, to_fps: Fraction) -> tuple[int, ...]:
    """The first frame after every cut at the other rate; cuts that fall on one frame become one."""
    return tuple(sorted({ceil(cut * to_fps / from_fps) for cut in cuts}))


def held_frames(frames: int, from_fps: Fraction, to_fps: Fraction) -> Tensor:
    """The number of the frame at, or last before, each frame of the other rate: int64, as many as ``resample`` makes."""
    return _places(frames, from_fps, to_fps)[0]


def at_rate(track: Track, fps: Fraction) -> Track:
    """The track at another rate; beside the parameters, everything is that of the frame at or before.

    Its clip keeps the rate it had: read it at ``held_frames``.
    """
    own = Fraction(track.info.fps)
    if own == fps:
        return track
    at = held_frames(len(track), own, fps)
    info = replace(
        track.info,
        fps=str(fps),
        actor_frames=min(ceil(track.info.actor_frames * fps / own), len(at)),
        cuts=cuts_in(range(len(at)), resampled_cuts(track.info.cuts, own, fps)),
    )
    return Track(
        parameters=resample(track.parameters, own, fps, track.info.cuts),
        actor=track.actor,
        camera=track.camera,
        valid=track.valid[at],
        error=track.error[at],
        corrective=track.corrective[at],
        corrected_error=track.corrected_error[at],
        photometric_error=track.photometric_error[at],
        landmarks=Landmarks(points=track.landmarks.points[at], found=track.landmarks.found[at]),
        info=info,
    )


def _places(frames: int, from_fps: Fraction, to_fps: Fraction) -> tuple[Tensor, Tensor]:
    """Of each new frame the old one at or before it, int64, and how far it is on the way to the next one, in [0, 1)."""
    step = from_fps / to_fps
    passed = torch.arange(max(1, round(frames / step))) * step.numerator
    return passed // step.denominator, (passed % step.denominator).double() / step.denominator


def _mixed(before: Tensor, after: Tensor, part: Tensor) -> Tensor:
    return torch.lerp(before.double(), after.double(), part).to(before.dtype)


def _turned(before: Tensor, after: Tensor, part: Tensor) -> Tensor:
    """Axis-angle (T, 3) so far on the shortest way between two; as it was where that is not at all."""
    start, end = axis_angle_to_matrix(before.double()), axis_angle_to_matrix(after.double())
    way = matrix_to_axis_angle(end @ start.transpose(-1, -2))
    turned = matrix_to_axis_angle(axis_angle_to_matrix(part * way) @ start).to(before.dtype)
    return torch.where(part == 0, before, turned)
