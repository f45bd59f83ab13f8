"""Temporal split of a clip: contiguous parts with a gap between them, so that held-out frames resemble no training frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lit_reenact.core.errors import ReenactError


@dataclass(frozen=True)
class SplitSettings:
    """Parts of each clip.

    Attributes:
        fractions: shares of the clip for training and for validation; the rest is for testing.
        training_frames: number of frames to train on, the first ones, to learn how much footage is enough; None trains on the
            whole training part. The track is not made again: it was learned from that whole part.
    """

    fractions: tuple[float, float] = (0.7, 0.1)
    training_frames: int | None = None

    def __post_init__(self) -> None:
        first, second = self.fractions
        object.__setattr__(self, "fractions", (first, second))


@dataclass(frozen=True)
class Split:
    """Frame ranges of a clip; between two of them one second is left out.

    Attributes:
        train: frames to learn from.
        validation: held-out frames to choose settings and checkpoints by.
        test: held-out frames to report results on.
    """

    train: range
    validation: range
    test: range


def training_frames(frame_count: int, fraction: float = 0.7) -> int:
    """Return the number of frames at the start of a clip that may be learned from, by their share in [0, 1]."""
    return round(frame_count * fraction)


def temporal_split(
    frame_count: int,
    fps: float,
    fractions: tuple[float, float] = (0.7, 0.1),
    window: int = 11,
    limit: int | None = None,
) -> Split:
    """Split the frames of a clip into train | validation | test.

    One second is dropped at each border, from the later part, so that neighbouring frames never stand on both sides.

    Args:
        frame_count: frames of the clip.
        fps: frames per second, which makes the gap one second long.
        fractions: shares of the training and the validation part, before the gaps; the rest is for testing.
        window: frames of a network's window, the least that a part may hold.
        limit: if given, the training part holds only its first ``limit`` frames; the other parts stay the same.

    Raises:
        ReenactError: a part would hold fewer frames than one window, or the training part fewer than the limit.
    """
    gap = round(fps)
    first = training_frames(frame_count, fractions[0])
    second = round(frame_count * sum(fractions))
    split = Split(range(first), range(first + gap, second), range(second + gap, frame_count))
    for name in ("train", "validation", "test"):
        frames = len(getattr(split, name))
        if frames < window:
            raise ReenactError(
                f"the clip's {frame_count} frames leave {frames} for its {name} part, fewer than a window of {window}: "
                f"use a longer video, or change data.split.fractions {fractions}"
            )
    if limit is None:
        return split
    if not window <= limit <= first:
        raise ReenactError(
            f"data.split.training_frames is {limit}: choose {window} (a window) to {first} (the training part of this clip)"
        )
    return replace(split, train=range(limit))
