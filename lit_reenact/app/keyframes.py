"""Keys of a slider set and deleted by hand. Times are frames here; a frame has one key at most."""

from __future__ import annotations

from dataclasses import replace

import torch

from lit_reenact.edit import SliderTrack

SAME_FRAME = 0.5
"""Keys from a file may lie between frames; one that is nearer than this lies at the frame."""


def constant(value: float) -> SliderTrack:
    """A slider that stays where it is."""
    return SliderTrack(((0.0, value),))


def value_at(track: SliderTrack, frame: int) -> float:
    """Where the slider stands in a frame."""
    return float(track(torch.tensor([float(frame)]))[0])


def has_key(track: SliderTrack, frame: int) -> bool:
    return any(abs(time - frame) <= SAME_FRAME for time, _ in track.keys)


def with_key(track: SliderTrack, frame: int, value: float) -> SliderTrack:
    """With a key at the frame, in place of one that it may have."""
    return replace(track, keys=tuple(sorted((*_others(track, frame), (float(frame), value)))))


def without_key(track: SliderTrack, frame: int) -> SliderTrack:
    """Without the key at the frame; without its last one, a slider stays where that was."""
    others = _others(track, frame)
    return replace(track, keys=others) if others else constant(value_at(track, frame))


def _others(track: SliderTrack, frame: int) -> tuple[tuple[float, float], ...]:
    return tuple(key for key in track.keys if abs(key[0] - frame) > SAME_FRAME)
