"""Interpolation of landmarks over short gaps in which no face was detected."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lit_reenact.core.schema import Landmarks
from lit_reenact.video.cuts import shots


def fill_gaps(landmarks: Landmarks, max_gap: int, cuts: tuple[int, ...] = ()) -> tuple[Landmarks, Tensor]:
    """Interpolate the points in gaps of at most ``max_gap`` frames, never from one side of a cut to the other.

    A short gap at either end of the video, or at a cut, repeats its neighbour.

    Args:
        landmarks: landmarks of T frames.
        max_gap: length of the longest gap that is filled, frames.
        cuts: the first frame after every cut.

    Returns:
        The landmarks, whose ``found`` still marks the frames with a detected face, and bool (T,): True where there are points,
        detected or interpolated. Points of all other frames stay NaN.
    """
    points, valid = landmarks.points.clone(), landmarks.found.clone()
    for start, stop in shots(cuts, len(landmarks)):
        found = landmarks.found[start:stop].numpy()
        if found.any():
            known = found | ~_in_long_gap(found, max_gap)
            _interpolate(points[start:stop], found, known & ~found)
            valid[start:stop] = torch.from_numpy(known)
    return Landmarks(points=points, found=landmarks.found), valid


def _interpolate(points: Tensor, found: npt.NDArray[np.bool_], gaps: npt.NDArray[np.bool_]) -> None:
    """Fill the frames ``gaps`` of a shot's points, (T, 478, 3), in place, from the nearest ``found`` frames before and after."""
    seen, fill = np.flatnonzero(found), np.flatnonzero(gaps)
    before = seen[np.clip(np.searchsorted(seen, fill) - 1, 0, None)]
    after = seen[np.clip(np.searchsorted(seen, fill), None, len(seen) - 1)]
    weight = torch.from_numpy(np.clip((fill - before) / np.maximum(after - before, 1), 0, 1)).float()[:, None, None]
    points[fill] = torch.lerp(points[before], points[after], weight)


def _in_long_gap(found: npt.NDArray[np.bool_], max_gap: int) -> npt.NDArray[np.bool_]:
    """Return bool (T,), True in every run of more than ``max_gap`` frames without a face."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], found, [True]]).astype(np.int8)))
    long = np.zeros(len(found), dtype=bool)
    for start, stop in edges.reshape(-1, 2):
        long[start:stop] = stop - start > max_gap
    return long
