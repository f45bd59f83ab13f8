"""Calibration, then tracking: detected faces to parameters of the target."""

from __future__ import annotations

import numpy as np
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.landmarks.following import Points
from lit_reenact.live.driver import calibrate
from lit_reenact.live.puppet import OnlineTransfer
from lit_reenact.live.tracker import OnlineTracker

MIN_FRAMES = 15
"""Minimum number of frames that a face is learned from, at any frame rate."""


class Follower:
    """Learns the driver's face from the first frames, then follows it.

    Args:
        target: track of the target.
        seconds: duration of the calibration, of ``MIN_FRAMES`` frames with a face at least.
        driver: track of the driver; with it only the resting pose is learned.
    """

    def __init__(self, target: Track, seconds: float, driver: Track | None = None) -> None:
        self.message = "Looking for a face"
        self._target, self._seconds, self._driver = target, seconds, driver
        self._points: list[Points] = []
        self._times: list[float] = []
        self._calibrated: tuple[OnlineTracker, OnlineTransfer] | None = None

    @property
    def knows_driver(self) -> bool:
        """True once the calibration is complete."""
        return self._calibrated is not None

    def __call__(self, faces: Points, width: int, height: int, time: float) -> FaceParameters | None:
        """Return the target's parameters of one frame; None without a face, and during the calibration.

        Args:
            faces: (0 or 1, 478, 3) landmarks in pixels of the frame.
            width: width of the frame, pixels.
            height: height of the frame, pixels.
            time: time of the frame, seconds.

        Raises:
            ReenactError: the track of the driver was made with another face model than the target's.
        """
        if self._calibrated is None:
            self._learn(faces, width, height, time)
            return None
        self.message = "" if len(faces) else "No face is seen"
        tracker, transfer = self._calibrated
        return transfer(tracker(torch.from_numpy(faces[0]), time)) if len(faces) else None

    def calibration_error(self, name: str) -> ReenactError:
        """Return the error for an input called ``name`` that ended during the calibration."""
        if not self._times:
            return ReenactError(f"{name}: no face was found; it must fill a quarter of the picture's height")
        return ReenactError(
            f"{name}: a face was seen in {len(self._times)} frames and for {self._seen:.1f} s, but {MIN_FRAMES} frames and "
            f"{self._seconds:g} s are needed to learn it: use a longer video, or a smaller --calibration"
        )

    @property
    def _seen(self) -> float:
        """Seconds for which a face was seen."""
        return self._times[-1] - self._times[0] if self._times else 0.0

    def _learn(self, faces: Points, width: int, height: int, time: float) -> None:
        if not len(faces):
            return
        self._points.append(faces[0])
        self._times.append(time)
        self.message = f"Look at the camera and rest your face: {max(0.0, self._seconds - self._seen):.0f} s"
        if len(self._times) < MIN_FRAMES or self._seen < self._seconds:
            return
        self.message = "Learning the face"
        points, fps = torch.from_numpy(np.stack(self._points)), (len(self._times) - 1) / self._seen
        driver = calibrate(points, width, height, fps, self._target.info.face_model, self._driver)
        self._calibrated = OnlineTracker(driver), OnlineTransfer(driver, self._target)
