"""Hard cuts of a video, detected in tiny grey pictures of its frames, and the shots between them."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

Thumbnail = npt.NDArray[np.uint8]

THUMBNAIL_SIDE = 32
"""Side of a thumbnail, pixels."""

CHANGE = 0.1
"""Least change of structure at a cut; heads that turn, talk and blink at 30 frames/s stay below."""

SUDDENNESS = 3.0
"""Least ratio of the change at a cut to those around it: a fast turn takes several frames, and at 5 frames/s all are large."""

SCENE_CHANGE = 0.45
"""Change that a head alone cannot cause: from it on, twice the changes around are enough."""

REPEAT = 0.004
"""Change below which a frame repeats the picture before it, compressed again."""

NEIGHBOURS = 8
"""New pictures on either side that a change is compared with."""

PASSING = 5
"""New pictures after which a flash or a dropout is over."""

_STILL = 0.02
"""Change that even a still scene is taken to have."""

_LOCAL = 9
"""Side of the neighbourhood whose contrast is the unit, pixels of the thumbnail."""


def thumbnail(frame: npt.NDArray[np.uint8]) -> Thumbnail:
    """Shrink a frame, uint8 (H, W, 3) RGB or (H, W) grey, to the uint8 (32, 32) grey picture that ``find_cuts`` takes."""
    small = cv2.resize(frame, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) if small.ndim == 3 else small, dtype=np.uint8)


def find_cuts(thumbnails: npt.NDArray[np.uint8]) -> tuple[int, ...]:
    """Return the number of the first frame after every hard cut.

    A cut is a change of structure that is sudden, large against the changes around it, and not undone at once. Light that
    comes, goes or flickers does not count, for each neighbourhood is compared by its own contrast; repeated frames count once.

    Args:
        thumbnails: uint8 (T, 32, 32), one for each frame.
    """
    new, change = _changes(thumbnails)
    sudden = [k for k in range(1, len(new)) if _is_sudden(change, k)]
    passing = {k for pair in pairwise(sudden) if _returns(thumbnails, new, *pair) for k in pair}
    return tuple(new[k] for k in sudden if k not in passing)


def _changes(thumbnails: npt.NDArray[np.uint8]) -> tuple[list[int], npt.NDArray[np.float64]]:
    """Return the numbers of the frames with a new picture, and the change of each from the one before it (0 for the first)."""
    new, change, last = [], [], None
    for number, picture in enumerate(thumbnails):
        structure = _structure(picture)
        step = _difference(structure, last) if last is not None else 0.0
        if last is None or step > REPEAT:
            new.append(number)
            change.append(step)
            last = structure
    return new, np.array(change)


def shots(cuts: tuple[int, ...], frame_count: int) -> list[tuple[int, int]]:
    """Return the ranges [start, stop) of frames between the cuts."""
    return list(pairwise([0, *cuts, frame_count]))


def cuts_in(frames: range, cuts: tuple[int, ...]) -> tuple[int, ...]:
    """Return the cuts within a part of a clip, counted from the start of the part."""
    return tuple(cut - frames.start for cut in cuts if cut in frames[1:])


def _structure(picture: Thumbnail) -> npt.NDArray[np.float32]:
    """Return each pixel's contrast to its neighbourhood, in units of the neighbourhood's own contrast."""
    grey = picture.astype(np.float32)
    grey = (grey - grey.mean()) / max(float(grey.std()), 1.0)
    mean = cv2.blur(grey, (_LOCAL, _LOCAL))
    deviation = np.sqrt(np.maximum(cv2.blur(grey * grey, (_LOCAL, _LOCAL)) - mean * mean, 0))
    return np.asarray((grey - mean) / (deviation + 0.15), dtype=np.float32)


def _difference(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    return float(np.abs(first - second).mean())


def _is_sudden(change: npt.NDArray[np.float64], at: int) -> bool:
    """Tell whether a change stands out from those nearby, of which the largest may be another cut."""
    around = np.concatenate([change[max(1, at - NEIGHBOURS) : at], change[at + 1 : at + 1 + NEIGHBOURS]])
    usual = max(float(np.sort(around)[-2]), _STILL) if len(around) > 1 else _STILL
    return bool(change[at] > max(CHANGE, (2.0 if change[at] > SCENE_CHANGE else SUDDENNESS) * usual))


def _returns(thumbnails: npt.NDArray[np.uint8], new: list[int], start: int, stop: int) -> bool:
    """Tell whether the ``stop``-th new picture soon undoes the change of the ``start``-th, as the end of a flash does."""
    before, between, after = (_structure(thumbnails[new[k]]) for k in (start - 1, start, stop))
    return stop - start <= PASSING and _difference(before, after) < 0.6 * _difference(before, between)
