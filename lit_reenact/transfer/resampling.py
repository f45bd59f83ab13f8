"""Tracks at another frame rate: between two frames, rotations and all other values change at constant speed."""

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
    """Resample motion to another frame rate; frame 0 keeps its place.

    Args:
        parameters: T frames.
        from_fps: frames per second of the parameters.
        to_fps: frames per second of the result.
        cuts: first frame after every cut. The frame before a cut and the last frame are repeated instead of mixed.

    Returns:
        T to_fps / from_fps frames, rounded, at least one; the same object if the rates are equal.
    """
    if from_fps == to_fps:
        return parameters
    at, part = _positions(len(parameters), from_fps, to_fps)
    alone = torch.tensor([*(cut - 1 for cut in cuts), len(parameters) - 1])
    part = torch.where(torch.isin(at, alone), 0, part)[:, None]
    before, after = parameters[at], parameters[(at + 1).clamp_max(len(parameters) - 1)]
    names = ("translation", "identity", "expression", "illumination", "gaze")
    mixed = {name: _mix(getattr(before, name), getattr(after, name), part) for name in names}
    return FaceParameters(rotation=_turn(before.rotation, after.rotation, part), **mixed)


def resampled_cuts(cuts: tuple[int, ...], from_fps: Fraction, to_fps: Fraction) -> tuple[int, ...]:
    """Return the first frame after every cut at another rate; cuts that fall on one frame become one."""
    return tuple(sorted({ceil(cut * to_fps / from_fps) for cut in cuts}))


def frames_at_rate(frames: int, from_fps: Fraction, to_fps: Fraction) -> Tensor:
    """Return, for each frame at another rate, the number of the frame at or just before it, int64, as in ``resample``."""
    return _positions(frames, from_fps, to_fps)[0]


def resample_track(track: Track, fps: Fraction) -> Track:
    """Resample a track: parameters change smoothly, all else is repeated from the frame at or just before.

    The clip keeps its own rate: read it at ``frames_at_rate``.
    """
    own = Fraction(track.info.fps)
    if own == fps:
        return track
    at = frames_at_rate(len(track), own, fps)
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


def _positions(frames: int, from_fps: Fraction, to_fps: Fraction) -> tuple[Tensor, Tensor]:
    """Return, for each new frame, the old frame at or before it, int64, and the share of the way to the next, in [0, 1)."""
    step = from_fps / to_fps
    passed = torch.arange(max(1, round(frames / step))) * step.numerator
    return passed // step.denominator, (passed % step.denominator).double() / step.denominator


def _mix(before: Tensor, after: Tensor, part: Tensor) -> Tensor:
    return torch.lerp(before.double(), after.double(), part).to(before.dtype)


def _turn(before: Tensor, after: Tensor, part: Tensor) -> Tensor:
    """Interpolate rotations, axis-angle (T, 3), along the shortest way; a share of 0 returns the first bit for bit."""
    start, end = axis_angle_to_matrix(before.double()), axis_angle_to_matrix(after.double())
    way = matrix_to_axis_angle(end @ start.transpose(-1, -2))
    turned = matrix_to_axis_angle(axis_angle_to_matrix(part * way) @ start).to(before.dtype)
    return torch.where(part == 0, before, turned)
