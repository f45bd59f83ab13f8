"""A live session: the stages of live reenactment, each in a thread of its own.

No stage waits for a slower one: frames that have become old are left out. Only a file that is played as fast as possible
(``wait=False`` in ``open_input``) has all its frames generated.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch

from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.landmarks.detection import find_faces
from lit_reenact.landmarks.following import Points
from lit_reenact.live.camera import LiveInput
from lit_reenact.live.follower import Follower
from lit_reenact.live.latest_queue import LatestQueue
from lit_reenact.live.puppet import Puppet
from lit_reenact.live.readout import Readout
from lit_reenact.video import Frame

PREVIEW = 256
"""Side in pixels of the camera's frames that are displayed before the driver's face is known."""


@dataclass(frozen=True)
class CameraFrame:
    """A frame of the source.

    Attributes:
        picture: uint8 (H, W, 3) RGB.
        time: seconds since the first frame: by frame number in a file, by the clock for a camera.
        captured_at: arrival of the frame, by ``time.perf_counter``.
    """

    picture: Frame
    time: float
    captured_at: float


@dataclass(frozen=True)
class TrackedFrame:
    """A frame of the source with the parameters of the target.

    Attributes:
        parameters: parameters of the target, one frame.
        frame: frame of the source that they were tracked in.
    """

    parameters: FaceParameters
    frame: CameraFrame


@dataclass(frozen=True)
class DisplayedFrame:
    """A frame to display.

    Attributes:
        picture: uint8 (S, S, 3) RGB.
        time: time of the source's frame, seconds since the first one.
        captured_at: arrival of the source's frame, by ``time.perf_counter``.
        generated: True for a frame of the network, False for one of the source.
    """

    picture: Frame
    time: float
    captured_at: float
    generated: bool


@dataclass
class LiveSession:
    """Live reenactment from the first frame of the source to the last.

    Attributes:
        source: frames that drive.
        target: track of the target.
        puppet: network of the target.
        seconds: duration of the calibration, in which a face must be seen.
        driver: track of the driver; with it only the resting pose is learned.
        every_frame: generate every frame, however long it takes.
        readout: speed and latency so far.

    Example:
        >>> session = LiveSession(open_input("0"), target, Puppet(target, generator))
        >>> for frame in session.run():
        ...     page.show(frame.picture)
    """

    source: LiveInput
    target: Track
    puppet: Puppet
    seconds: float = 3.0
    driver: Track | None = None
    every_frame: bool = False
    readout: Readout = field(default_factory=Readout)

    def __post_init__(self) -> None:
        window = 1 if self.every_frame else self.puppet.generator.shape.span
        self._captured: LatestQueue[CameraFrame] = LatestQueue(1, self.every_frame)
        self._tracked: LatestQueue[TrackedFrame] = LatestQueue(window, self.every_frame)
        self._displayed: LatestQueue[DisplayedFrame] = LatestQueue(2, self.every_frame)
        self._follower = Follower(self.target, self.seconds, self.driver)
        self._failure: BaseException | None = None

    def run(self) -> Iterator[DisplayedFrame]:
        """Yield the frames to display. Each counts as displayed when the next one is asked for.

        Raises:
            ReenactError: the camera disappeared, or a file ended before the driver was known. It is raised after the last frame.
        """
        stages: list[tuple[Callable[[], None], LatestQueue[Any]]] = [
            (self._capture, self._captured),
            (self._track, self._tracked),
            (self._generate, self._displayed),
        ]
        threads = [threading.Thread(target=self._run_stage, args=stage, daemon=True) for stage in stages]
        for thread in threads:
            thread.start()
        try:
            for frame in self._displayed:
                start = time.perf_counter()
                yield frame
                if frame.generated:
                    self.readout.record("showing", time.perf_counter() - start)
                    self.readout.count_frame(frame.captured_at)
        finally:
            self.stop()
            for thread in threads:
                thread.join()
        if self._failure is not None:
            raise self._failure

    def status(self) -> dict[str, Any]:
        """Return the follower's message, frames per second and latency, for the page."""
        return {"message": self._follower.message, **self.readout.recent()}

    def stop(self) -> None:
        """End the session: no more frames are generated."""
        for queue in (self._captured, self._tracked, self._displayed):
            queue.close()

    def _run_stage(self, stage: Callable[[], None], output: LatestQueue[Any]) -> None:
        try:
            stage()
        except BaseException as error:  # raised again by ``run``, in the caller's thread
            self._failure = self._failure or error
            self._captured.close()
        finally:
            output.close()

    def _capture(self) -> None:
        start = None
        for number, picture in enumerate(self.source.frames):
            now = time.perf_counter()
            start = now if start is None else start
            frame = CameraFrame(picture, number / float(self.source.fps) if self.source.file else now - start, now)
            self.readout.captured += 1
            if not self._captured.put(frame):
                return

    def _track(self) -> None:
        torch.set_num_threads(1)
        for faces, frame in self._detect():
            height, width = frame.picture.shape[:2]
            learning = not self._follower.knows_driver
            with self.readout.measure("fit"):
                parameters = self._follower(faces, width, height, frame.time)
            if learning:
                self._preview(frame)
            elif parameters is not None and not self._tracked.put(TrackedFrame(parameters, frame)):
                return
        if not self._follower.knows_driver and not self._displayed.is_closed:
            raise self._follower.calibration_error(self.source.name)

    def _detect(self) -> Iterator[tuple[Points, CameraFrame]]:
        """Yield the faces in each captured frame that is taken up."""
        current: list[tuple[CameraFrame, float]] = []

        def pictures() -> Iterator[Frame]:
            for frame in self._captured:
                current[:] = [(frame, time.perf_counter())]
                yield frame.picture

        for faces in find_faces(pictures(), 1):
            frame, start = current[0]
            self.readout.record("landmarks", time.perf_counter() - start)
            yield faces, frame

    def _generate(self) -> None:
        torch.set_num_threads(os.cpu_count() or 1)
        while tracked := self._tracked.take_all():
            for each in tracked:
                with self.readout.measure("drawing"):
                    self.puppet.add_frame(each.parameters)
            with self.readout.measure("network"):
                picture = self.puppet.generate()
            last = tracked[-1].frame
            if not self._displayed.put(DisplayedFrame(picture, last.time, last.captured_at, generated=True)):
                return

    def _preview(self, frame: CameraFrame) -> None:
        side = min(frame.picture.shape[:2])
        top, left = ((length - side) // 2 for length in frame.picture.shape[:2])
        square = cv2.resize(frame.picture[top : top + side, left : left + side], (PREVIEW, PREVIEW), interpolation=cv2.INTER_AREA)
        self._displayed.put(DisplayedFrame(np.asarray(square, np.uint8), frame.time, frame.captured_at, generated=False))
