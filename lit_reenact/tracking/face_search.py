"""The first pass over a video: landmarks of one person, found block by block, so that a killed run can continue."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from lit_reenact.core.parallel import prefetch
from lit_reenact.core.schema import LANDMARK_COUNT, Landmarks
from lit_reenact.landmarks.detection import BLOCK, LEAD, find_faces
from lit_reenact.landmarks.following import Points, follow
from lit_reenact.tracking.partial_results import Unfinished
from lit_reenact.video import Frame, VideoInfo, iterate_frames

MAX_FACES = 3
"""Maximum number of faces detected in a frame."""

MAX_GAP_SECONDS = 0.3
"""Longest gap in which a missing face is interpolated; frames of longer gaps are left out of training."""


def find_person(info: VideoInfo, unfinished: Unfinished, progress: bool) -> tuple[Landmarks, int]:
    """Find the landmarks of one person in a video.

    Frames that an earlier run has searched are not searched again; the result is the same.

    Args:
        info: the video.
        unfinished: store for the faces found so far.
        progress: whether to show a progress bar.

    Returns:
        landmarks in pixels of the source, and the number of faces that are seen at once for long enough to be believed.
    """
    faces = _stored_faces(info.frame_count, unfinished)
    if len(faces) < info.frame_count:
        if faces:
            sentence = f"faces in {len(faces)} of {info.frame_count} frames are known from a run that did not finish"
            tqdm.write(f"{info.path.name}: {sentence}", file=sys.stderr)
        faces += _search(info, len(faces), unfinished, progress)
    return follow(faces), _usual_maximum([len(each) for each in faces], info.fps)


def min_frames_to_believe(fps: Fraction) -> int:
    """Return the number of frames for which something must be seen to be believed: as many as the longest gap has."""
    return max(2, int(MAX_GAP_SECONDS * fps))


def with_progress(frames: Iterator[Frame], total: int, label: str, progress: bool, first: int = 0) -> Iterator[Frame]:
    """Read frames ahead in another thread, under a progress bar that starts at ``first``."""
    yield from tqdm(prefetch(frames), desc=label, total=total, initial=first, unit=" frames", disable=not progress)


def _search(info: VideoInfo, known: int, unfinished: Unfinished, progress: bool) -> Iterator[Points]:
    """Yield the faces of every frame after the first ``known``; store whole blocks of them."""
    # Not a list of small arrays: allocated one between two frames each, they would leave holes that no frame fits into.
    block = np.empty((BLOCK, MAX_FACES, LANDMARK_COUNT, 3), dtype=np.float32)
    counts = np.empty(BLOCK, dtype=np.int64)
    first = max(0, known - LEAD)
    label = f"{info.path.name}: finding the face"
    frames = with_progress(iterate_frames(info.path, first=first), info.frame_count, label, progress, first)
    for number, faces in enumerate(find_faces(frames, MAX_FACES, first), known):
        place = number % BLOCK
        block[place, : len(faces)], counts[place] = faces, len(faces)
        if place == BLOCK - 1 or number == info.frame_count - 1:
            done, used = slice(place + 1), np.arange(MAX_FACES) < counts[: place + 1, None]
            full: dict[str, npt.NDArray[Any]] = {"counts": counts[done], "points": block[done][used]}
            unfinished.store(f"faces-{number // BLOCK}", full)
            yield from _by_frame(full)


def _stored_faces(frame_count: int, unfinished: Unfinished) -> list[Points]:
    """Load the faces of the first frames of a video, in whole blocks."""
    faces: list[Points] = []
    for number in range(-(-frame_count // BLOCK)):
        block = unfinished.load(f"faces-{number}")
        if block is None:
            break
        faces += _by_frame(block)
    return faces


def _by_frame(block: dict[str, npt.NDArray[Any]]) -> list[Points]:
    return np.split(block["points"], np.cumsum(block["counts"])[:-1])


def _usual_maximum(counts: list[int], fps: Fraction) -> int:
    """Return the largest number of faces that is seen for long enough to be believed."""
    return max((n for n in range(MAX_FACES + 1) if sum(c >= n for c in counts) >= min_frames_to_believe(fps)), default=1)
