"""Keys of a slider, set and deleted by hand. Times are frames here; a frame has at most one key."""

from __future__ import annotations

from dataclasses import replace

import torch

from lit_reenact.edit import SliderTrack

SAME_FRAME = 0.5
"""Distance in frames within which a key belongs to a frame; keys from a file may lie between frames."""


def constant_track(value: float) -> SliderTrack:
    """Return the track of a slider that stands still."""
    return SliderTrack(((0.0, value),))


def value_at(track: SliderTrack, frame: int) -> float:
    """Return the value of a slider in a frame."""
    return float(track(torch.tensor([float(frame)]))[0])


def has_key(track: SliderTrack, frame: int) -> bool:
    """Return whether a track has a key in a frame."""
    return any(abs(time - frame) <= SAME_FRAME for time, _ in track.keys)


def set_key(track: SliderTrack, frame: int, value: float) -> SliderTrack:
    """Set a key in a frame, in place of one that is there."""
    return replace(track, keys=tuple(sorted((*_other_keys(track, frame), (float(frame), value)))))


def delete_key(track: SliderTrack, frame: int) -> SliderTrack:
    """Delete the key in a frame. Without its last key, a slider keeps the value of that key."""
    others = _other_keys(track, frame)
    return replace(track, keys=others) if others else constant_track(value_at(track, frame))


def cut_off(track: SliderTrack, last: int) -> SliderTrack:
    """Delete the keys after the frame ``last``; without any key left, the slider keeps its value in that frame."""
    keys = tuple(key for key in track.keys if key[0] <= last)
    return replace(track, keys=keys or ((float(last), value_at(track, last)),))


def _other_keys(track: SliderTrack, frame: int) -> tuple[tuple[float, float], ...]:
    return tuple(key for key in track.keys if abs(key[0] - frame) > SAME_FRAME)
