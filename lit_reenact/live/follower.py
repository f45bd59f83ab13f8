"""Faces as they are found to parameters of the target: first the driver is learned, then they are followed."""

from __future__ import annotations

import numpy as np
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.landmarks.detection import Points
from lit_reenact.live.driver import calibrate
from lit_reenact.live.puppet import OnlineTransfer
from lit_reenact.live.tracker import OnlineTracker

LEAST = 15
"""Pictures that a face is learned from, however few a second there are."""


class Follower:
    """Follows the driver.

    Args:
        target: who is driven.
        seconds: of pictures with a face, ``LEAST`` or more, that the driver is learned from.
        driver: their track, where there is one: then it is learned from these how they sit today, no more.
    """

    def __init__(self, target: Track, seconds: float, driver: Track | None = None) -> None:
        self.message = "Looking for a face"
        self._target, self._seconds, self._driver = target, seconds, driver
        self._points: list[Points] = []
        self._times: list[float] = []
        self._known: tuple[OnlineTracker, OnlineTransfer] | None = None

    @property
    def knows_driver(self) -> bool:
        return self._known is not None

    def __call__(self, faces: Points, width: int, height: int, time: float) -> FaceParameters | None:
        """Parameters of the target, of one frame; None without a face, or while the driver is learned.

        Args:
            faces: (0 or 1, 478, 3) landmarks in pixels of the picture.
            width, height: of the picture.
            time: when it was taken, seconds.

        Raises:
            ReenactError: as ``calibrate``.
        """
        if self._known is None:
            self._learn(faces, width, height, time)
            return None
        self.message = "" if len(faces) else "No face is seen"
        tracker, transfer = self._known
        return transfer(tracker(torch.from_numpy(faces[0]), time)) if len(faces) else None

    def refusal(self, name: str) -> ReenactError:
        """What to say when the input of that name has no more pictures and the driver is not yet known."""
        if not self._times:
            return ReenactError(f"{name}: no face was found; it must fill a quarter of the picture's height")
        return ReenactError(
            f"{name}: a face was seen in {len(self._times)} pictures and for {self._seen:.1f} s, but {LEAST} pictures and "
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
        if len(self._times) < LEAST or self._seen < self._seconds:
            return
        self.message = "Learning the face"
        points, fps = torch.from_numpy(np.stack(self._points)), (len(self._times) - 1) / self._seen
        driver = calibrate(points, width, height, fps, self._target.info.face_model, self._driver)
        self._known = OnlineTracker(driver), OnlineTransfer(driver, self._target)
