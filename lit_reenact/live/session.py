"""The stages of live reenactment, each in a thread of its own: pictures come in, are tracked, and become the target's.

Nothing waits for a slower stage: what has become old there is left out. Only a file that is to be worked through as fast as it
can be (``wait=False`` in ``open_input``) has all its frames made.
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
from lit_reenact.landmarks.detection import Points, find_faces
from lit_reenact.live.camera import LiveInput
from lit_reenact.live.follower import Follower
from lit_reenact.live.latest_queue import LatestQueue
from lit_reenact.live.puppet import Puppet
from lit_reenact.live.readout import Readout
from lit_reenact.video.io import Frame

PREVIEW = 256
"""Side in pixels of the camera's pictures that are shown while it looks for a face and learns it."""


@dataclass(frozen=True)
class Shot:
    """A picture of the camera.

    Attributes:
        picture: uint8 (H, W, 3).
        time: seconds since the first one: of a file by the numbers of its frames, of a camera by the clock.
        taken: when it was there, by ``time.perf_counter``.
    """

    picture: Frame
    time: float
    taken: float


@dataclass(frozen=True)
class Tracked:
    """Parameters of the target for a shot."""

    parameters: FaceParameters
    shot: Shot


@dataclass(frozen=True)
class DisplayedFrame:
    """What is to be seen now.

    Attributes:
        picture: uint8 (S, S, 3).
        time: of the shot, as in ``Shot``.
        taken: when the shot was there, as in ``Shot``.
        made: whether the network made it; otherwise it is the camera's.
    """

    picture: Frame
    time: float
    taken: float
    made: bool


@dataclass
class LiveSession:
    """A run from the first picture to the last.

    Attributes:
        source: where pictures come from.
        target: track of who is driven.
        puppet: the target's network.
        seconds: of pictures with a face that the driver is learned from, or how they sit today.
        driver: their track, where there is one.
        patient: whether every picture is to be made, however long it takes.
        readout: speed and latency so far.
    """

    source: LiveInput
    target: Track
    puppet: Puppet
    seconds: float = 3.0
    driver: Track | None = None
    patient: bool = False
    readout: Readout = field(default_factory=Readout)

    def __post_init__(self) -> None:
        self._shots: LatestQueue[Shot] = LatestQueue(1, self.patient)
        self._tracked: LatestQueue[Tracked] = LatestQueue(1 if self.patient else self.puppet.generator.shape.span, self.patient)
        self._shown: LatestQueue[DisplayedFrame] = LatestQueue(2, self.patient)
        self._stages: tuple[LatestQueue[Any], ...] = (self._shots, self._tracked, self._shown)
        self._follower = Follower(self.target, self.seconds, self.driver)
        self._failure: BaseException | None = None

    def run(self) -> Iterator[DisplayedFrame]:
        """The pictures to show, until there are no more. Each counts as shown when the next is asked for.

        Raises:
            ReenactError: the camera vanished; or a file ended before the driver was known. It comes after the last picture.
        """
        work: list[tuple[Callable[[], None], LatestQueue[Any]]] = [
            (self._take, self._shots),
            (self._track, self._tracked),
            (self._make, self._shown),
        ]
        threads = [threading.Thread(target=self._guarded, args=stage, daemon=True) for stage in work]
        for thread in threads:
            thread.start()
        try:
            for shown in self._shown:
                begun = time.perf_counter()
                yield shown
                if shown.made:
                    self.readout.took("showing", time.perf_counter() - begun)
                    self.readout.made_one(shown.taken)
        finally:
            self.stop()
            for thread in threads:
                thread.join()
        if self._failure is not None:
            raise self._failure

    def status(self) -> dict[str, Any]:
        """What to tell the user now: the follower's message, and the readout's ``now``."""
        return {"message": self._follower.message, **self.readout.now()}

    def stop(self) -> None:
        """Make no more pictures."""
        for stage in self._stages:
            stage.close()

    def _guarded(self, work: Callable[[], None], gives: LatestQueue[Any]) -> None:
        try:
            work()
        except BaseException as error:  # raised again by ``run``, in the caller's thread
            self._failure = self._failure or error
            self._shots.close()
        finally:
            gives.close()

    def _take(self) -> None:
        start = None
        for number, picture in enumerate(self.source.frames):
            now = time.perf_counter()
            start = now if start is None else start
            shot = Shot(picture, number / float(self.source.fps) if self.source.file else now - start, now)
            self.readout.taken += 1
            if not self._shots.give(shot):
                return

    def _track(self) -> None:
        torch.set_num_threads(1)
        for faces, shot in self._faces():
            height, width = shot.picture.shape[:2]
            learning = not self._follower.knows_driver
            with self.readout.timed("fit"):
                parameters = self._follower(faces, width, height, shot.time)
            if learning:
                self._show(shot)
            elif parameters is not None and not self._tracked.give(Tracked(parameters, shot)):
                return
        if not self._follower.knows_driver and not self._shown.is_closed:
            raise self._follower.refusal(self.source.name)

    def _faces(self) -> Iterator[tuple[Points, Shot]]:
        """What is found in each shot that is taken up."""
        current: list[tuple[Shot, float]] = []

        def pictures() -> Iterator[Frame]:
            for shot in self._shots:
                current[:] = [(shot, time.perf_counter())]
                yield shot.picture

        for found in find_faces(pictures(), 1):
            shot, begun = current[0]
            self.readout.took("landmarks", time.perf_counter() - begun)
            yield found, shot

    def _make(self) -> None:
        torch.set_num_threads(os.cpu_count() or 1)
        while tracked := self._tracked.take():
            for each in tracked:
                with self.readout.timed("drawing"):
                    self.puppet.move(each.parameters)
            with self.readout.timed("network"):
                picture = self.puppet.picture()
            shot = tracked[-1].shot
            if not self._shown.give(DisplayedFrame(picture, shot.time, shot.taken, made=True)):
                return

    def _show(self, shot: Shot) -> None:
        side = min(shot.picture.shape[:2])
        top, left = ((length - side) // 2 for length in shot.picture.shape[:2])
        square = cv2.resize(shot.picture[top : top + side, left : left + side], (PREVIEW, PREVIEW), interpolation=cv2.INTER_AREA)
        self._shown.give(DisplayedFrame(np.asarray(square, np.uint8), shot.time, shot.taken, made=False))
