"""Sources of live frames: a camera, or a video file that plays like one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lit_reenact.core.errors import ReenactError
from lit_reenact.video import Frame, iterate_frames, probe

USUAL_RATE = 30
"""Frames per second assumed of a camera that does not report its rate."""


@dataclass(frozen=True)
class LiveInput:
    """A source of frames in the order of time.

    Attributes:
        name: name of the source in messages.
        fps: maximum number of frames per second.
        frames: iterator of uint8 (H, W, 3) RGB frames.
        file: path of the video; None for a camera.
    """

    name: str
    fps: Fraction
    frames: Iterator[Frame]
    file: Path | None = None


def open_input(word: str, wait: bool = True) -> LiveInput:
    """Open a camera by its number, or a video file by its path.

    Args:
        word: "0" for the first camera, or the path of a video.
        wait: play a file at its own rate; False yields its frames as fast as they are taken.

    Raises:
        ReenactError: there is no such camera or file, or it cannot be read. Iterating over ``frames`` raises it when the camera
            disappears.
    """
    if word.isdecimal():
        return _open_camera(int(word))
    info = probe(Path(word))
    frames = iterate_frames(info.path)
    return LiveInput(info.path.name, info.fps, pace(frames, info.fps) if wait else frames, info.path)


def pace(frames: Iterator[Frame], fps: Fraction) -> Iterator[Frame]:
    """Yield frames at a rate of ``fps`` at most."""
    start: float | None = None
    for number, frame in enumerate(frames):
        start = time.perf_counter() if start is None else start
        time.sleep(max(0.0, start + number / fps - time.perf_counter()))
        yield frame


def _open_camera(number: int) -> LiveInput:
    name = f"camera {number}"
    camera = cv2.VideoCapture(number)
    if not camera.isOpened():
        raise ReenactError(f"{name} cannot be opened: connect it, close other programs that use it, or give another number")
    camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # old frames are of no use
    rate = round(camera.get(cv2.CAP_PROP_FPS))
    return LiveInput(name, Fraction(rate if 1 <= rate <= 240 else USUAL_RATE), _camera_frames(camera, name))


def _camera_frames(camera: Any, name: str) -> Iterator[Frame]:
    try:
        while True:
            succeeded, frame = camera.read()
            if not succeeded:
                raise ReenactError(f"{name} gives no more frames: connect it and run the command again")
            yield np.ascontiguousarray(frame[..., ::-1])
    finally:
        camera.release()
