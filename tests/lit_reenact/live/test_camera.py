"""Cameras that are missing or disappear, and files that play like one."""

from __future__ import annotations

import time
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.live.camera import USUAL_RATE, open_input, pace
from tests.video_files import number_of, numbered, write_video


class FakeCamera:
    """A camera that gives a number of frames, then disappears."""

    def __init__(self, pictures: int) -> None:
        self.left, self.is_released = pictures, False

    def isOpened(self) -> bool:
        return self.left > 0

    def get(self, _: int) -> float:
        return 0.0  # like cameras that do not report their rate

    def set(self, *_: Any) -> bool:
        return True

    def read(self) -> tuple[bool, Any]:
        self.left -= 1
        return self.left >= 0, np.full((4, 6, 3), (10, 20, 30), np.uint8)

    def release(self) -> None:
        self.is_released = True


def test_a_camera_that_disappears_is_reported_after_its_last_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = FakeCamera(2)
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: camera)
    source = open_input("3")
    assert (source.fps, source.file) == (USUAL_RATE, None)
    pictures = list(islice(source.frames, 2))
    with pytest.raises(ReenactError, match="camera 3 gives no more frames"):
        next(source.frames)
    assert pictures[0][0, 0].tolist() == [30, 20, 10]  # OpenCV's blue comes first
    assert camera.is_released


def test_a_missing_camera_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: FakeCamera(0))
    with pytest.raises(ReenactError, match="camera 7 cannot be opened"):
        open_input("7")


def test_a_file_is_played(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [numbered(n) for n in range(5)], time_base=Fraction(1, 25))
    source = open_input(str(tmp_path / "a.mp4"), wait=False)
    assert source.fps == 25
    assert [number_of(frame) for frame in source.frames] == [0, 1, 2, 3, 4]
    with pytest.raises(ReenactError, match="there is no such file"):
        open_input(str(tmp_path / "b.mp4"))


def test_no_frame_comes_early() -> None:
    start = time.perf_counter()
    times = [time.perf_counter() - start for _ in pace(iter([numbered(0)] * 6), Fraction(50))]
    assert all(moment >= number / 50 - 1e-3 for number, moment in enumerate(times))
