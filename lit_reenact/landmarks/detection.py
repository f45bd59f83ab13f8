"""Detection of face landmarks by MediaPipe FaceMesh with irises, whose models come with its package."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from lit_reenact.core.schema import LANDMARK_COUNT, Landmarks
from lit_reenact.landmarks.following import Points, follow
from lit_reenact.video import Frame

MIN_SIDE = 400
"""Shortest side of a frame, pixels, below which it is enlarged for detection: at 128 that cuts the error by two thirds."""

BLOCK = 1000
"""Frames after which another detector takes over. MediaPipe follows a face from frame to frame, so its points depend on the frame
it began with. With fixed borders, a run that was killed resumes at the last one and ends like a run that never stopped."""

LEAD = 8
"""Frames before a border that the next detector already sees, so that no point jumps at the border."""


def detect(frames: Iterable[Frame], total: int | None, progress: str | None, max_faces: int = 1) -> Landmarks:
    """Detect the landmarks of one face through a video; among several faces, the largest is followed.

    Args:
        frames: uint8 (H, W, 3) RGB in the order of the video, read one by one.
        total: number of frames, for the progress bar.
        progress: label of a progress bar on stderr; no bar if None.
        max_faces: largest number of faces to detect in a frame; 1 is faster and follows whichever is detected first.

    Returns:
        Landmarks in pixels of the given frames; z in the same unit, as MediaPipe estimates it.

    Example:
        >>> landmarks = detect(iterate_frames(path), total=None, progress=None)
        >>> landmarks.points.shape
        torch.Size([250, 478, 3])
    """
    return follow(list(find_faces(tqdm(frames, desc=progress, total=total, unit=" frames", disable=progress is None), max_faces)))


def describe_detector() -> dict[str, str | int]:
    """Return the settings that detected faces depend on, beside the video and the number of faces."""
    return {"mediapipe": version("mediapipe"), "block": BLOCK, "lead": LEAD, "least_side": MIN_SIDE}


def find_faces(frames: Iterable[Frame], max_faces: int, first: int = 0) -> Iterator[Points]:
    """Detect all faces of every frame.

    Args:
        frames: uint8 (H, W, 3) RGB in the order of the video, read one by one.
        max_faces: largest number of faces to detect in a frame.
        first: number of the first of these frames in the video: 0, or ``LEAD`` before a multiple of ``BLOCK``, at which the
            output then begins.

    Yields:
        For each frame float32 (faces, 478, 3) in its pixels, faces = 0 where there is none.
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
    from mediapipe.python.solutions.face_mesh import FaceMesh  # imported late: it takes seconds

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


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Silence file descriptor 2, to which MediaPipe's compiled part logs at every log level, past Python."""
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
