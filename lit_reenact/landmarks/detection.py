"""Frames to face landmarks by MediaPipe FaceMesh with irises, whose models come with its package."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.core.schema import LANDMARK_COUNT, Landmarks
from lit_reenact.video import Frame
from lit_reenact.video.cuts import shots

Points = npt.NDArray[np.float32]

MIN_SIDE = 400
"""Frames whose shorter side has fewer pixels are enlarged for detection: at 128 pixels that cuts the error by two thirds."""

BLOCK = 1000
"""Frames after which another detector takes over. MediaPipe follows a face from frame to frame, so what it finds depends on where
it began: with borders that do not, a run that was killed goes on at the last one and ends as if it never had been."""

LEAD = 8
"""Frames before a border that the next detector sees already: then nothing jumps there."""


def detect(frames: Iterable[Frame], total: int | None, progress: str | None, max_faces: int = 1) -> Landmarks:
    """Landmarks of one face through a video; of several faces, the largest is followed.

    Args:
        frames: uint8 (H, W, 3) RGB in the order of the video, read one by one.
        total: how many there are, for the progress bar.
        progress: label of a progress bar on stderr; no bar if None.
        max_faces: how many faces to look for in each frame; 1 is faster and follows whichever is found first.

    Returns:
        In pixels of the given frames; z in the same unit, as MediaPipe estimates it.
    """
    return follow(list(find_faces(tqdm(frames, desc=progress, total=total, unit=" frames", disable=progress is None), max_faces)))


def detector_facts() -> dict[str, str | int]:
    """What the faces that are found in a video depend on, beside the video and their number."""
    return {"mediapipe": version("mediapipe"), "block": BLOCK, "lead": LEAD, "least_side": MIN_SIDE}


def find_faces(frames: Iterable[Frame], max_faces: int, first: int = 0) -> Iterator[Points]:
    """All faces of every frame.

    Args:
        frames: uint8 (H, W, 3) RGB in the order of the video, read one by one.
        max_faces: how many faces to look for in each.
        first: number of the first of these frames in the video: 0, or ``LEAD`` before a multiple of ``BLOCK``, from which faces
            are given out then.

    Yields:
        float32 (faces, 478, 3) in pixels of the frame, faces = 0 where there is none; one a frame.
    """
    mesh: Any = None
    successor: Any = None
    try:
        for number, frame in enumerate(frames, first):
            with quiet_stderr():
                if number % BLOCK == 0:
                    _close(mesh)
                    mesh, successor = successor or _open_mesh(max_faces), None
                faces = _faces_of(frame, mesh) if mesh else None
                if number % BLOCK >= BLOCK - LEAD:
                    successor = successor or _open_mesh(max_faces)
                    _faces_of(frame, successor)
            if faces is not None:
                yield faces
    finally:
        _close(mesh)
        _close(successor)


def _close(mesh: Any) -> None:
    if mesh is not None:
        mesh.close()


def _open_mesh(max_faces: int) -> Any:
    from mediapipe.python.solutions.face_mesh import FaceMesh  # here, for the import takes seconds

    return FaceMesh(max_num_faces=max_faces, refine_landmarks=True)


def _faces_of(frame: Frame, mesh: Any) -> Points:
    height, width = frame.shape[:2]
    factor = max(1, -(-MIN_SIDE // min(height, width)))
    seen = cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC) if factor > 1 else frame
    found = mesh.process(seen).multi_face_landmarks or []
    faces = np.array([[(p.x, p.y, p.z) for p in face.landmark] for face in found], dtype=np.float32)
    faces = faces.reshape(-1, LANDMARK_COUNT, 3) * np.array([width, height, width], dtype=np.float32)
    # MediaPipe cuts its face region out as if pixel centres were whole numbers: half a pixel of the image that it saw.
    faces[..., :2] += 0.5 / factor
    return faces


@dataclass
class _Trail:
    """One face from frame to frame, as long as its box stays near where it was last seen."""

    frames: list[int] = field(default_factory=list)
    faces: list[Points] = field(default_factory=list)
    area: float = 0.0

    def distance(self, face: Points) -> float:
        """Between the last face's centre and this one's, in units of the last one's size."""
        last = self.faces[-1]
        return float(np.linalg.norm((face - last).mean(0)[:2]) / max(np.ptp(last[:, :2], axis=0).max(), 1e-6))

    def append(self, frame: int, face: Points) -> None:
        self.frames.append(frame)
        self.faces.append(face)
        self.area += float(np.prod(np.ptp(face[:, :2], axis=0)))


def follow(faces: list[Points]) -> Landmarks:
    """One person out of the faces of every frame: the one who covers the most area over the whole video.

    Args:
        faces: for each frame (faces, 478, 3), as ``find_faces`` gives them.

    Returns:
        Landmarks of as many frames; not found where that person is not seen.
    """
    trails: list[_Trail] = []
    for number, seen in enumerate(faces):
        for face in seen:
            near = [t for t in trails if t.frames[-1] < number and t.distance(face) < 1]
            trail = min(near, key=lambda t: t.distance(face), default=None)
            if trail is None:
                trails.append(trail := _Trail())
            trail.append(number, face)
    points = np.full((len(faces), LANDMARK_COUNT, 3), np.nan, dtype=np.float32)
    # Somebody who is lost and found elsewhere leaves several trails; whoever is there at the same time is somebody else.
    for trail in sorted(trails, key=lambda t: -t.area):
        if np.isnan(points[trail.frames[0] : trail.frames[-1] + 1]).all():
            points[trail.frames] = trail.faces
    found = torch.from_numpy(np.isfinite(points[:, 0, 0]))
    return Landmarks(points=torch.from_numpy(points), found=found)


def fill_gaps(landmarks: Landmarks, max_gap: int, cuts: tuple[int, ...] = ()) -> tuple[Landmarks, Tensor]:
    """Interpolate the points in gaps of at most ``max_gap`` frames, never from one side of a cut to the other.

    A short gap at either end of the video, or at a cut, repeats its neighbour.

    Args:
        landmarks: of T frames.
        max_gap: frames.
        cuts: the first frame after every cut.

    Returns:
        The landmarks, whose ``found`` still says where the face was really seen, and bool (T,): True where points are given,
        measured or interpolated. Points of all other frames stay NaN.
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
    """Give the points of a shot, (T, 478, 3), in ``gaps`` those between the nearest found ones before and after."""
    seen, fill = np.flatnonzero(found), np.flatnonzero(gaps)
    before = seen[np.clip(np.searchsorted(seen, fill) - 1, 0, None)]
    after = seen[np.clip(np.searchsorted(seen, fill), None, len(seen) - 1)]
    weight = torch.from_numpy(np.clip((fill - before) / np.maximum(after - before, 1), 0, 1)).float()[:, None, None]
    points[fill] = torch.lerp(points[before], points[after], weight)


def _in_long_gap(found: npt.NDArray[np.bool_], max_gap: int) -> npt.NDArray[np.bool_]:
    """Bool (T,): True in every run of more than ``max_gap`` frames without a face."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], found, [True]]).astype(np.int8)))
    long = np.zeros(len(found), dtype=bool)
    for start, stop in edges.reshape(-1, 2):
        long[start:stop] = stop - start > max_gap
    return long


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """MediaPipe's compiled part logs to file descriptor 2, past Python and whatever the log level."""
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
