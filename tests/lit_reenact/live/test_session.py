"""All stages of a live session together, with a detector that returns the landmarks of a known scene."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.landmarks.following import Points
from lit_reenact.live import session
from lit_reenact.live.camera import LiveInput
from lit_reenact.live.follower import MIN_FRAMES
from lit_reenact.live.puppet import Puppet
from lit_reenact.live.session import LiveSession
from lit_reenact.networks.generator import Generator
from lit_reenact.video import Frame
from tests.lit_reenact.live.conftest import SIZE, Scene

BLIND = range(30, 33)
"""Frames in which the detector finds nothing."""


def pictures(count: int, disappears: bool = False) -> Iterator[Frame]:
    """Yield frames whose grey level is their number."""
    for number in range(count):
        yield np.full((SIZE, SIZE, 3), number, np.uint8)
    if disappears:
        raise ReenactError("camera 0 gives no more frames")


@pytest.fixture
def detector(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replace the detector; return the list of the frame numbers that it is given."""
    given: list[int] = []

    def find(frames: Iterable[Frame], max_faces: int) -> Iterator[Points]:
        for frame in frames:
            number = int(frame[0, 0, 0])
            given.append(number)
            points: Points = scene.points[number : number + 1].numpy()
            yield points[:0] if number in BLIND else points

    monkeypatch.setattr(session, "find_faces", find)
    return given


def make_session(scene: Scene, generator: Generator, frames: Iterator[Frame], seconds: float = 0.5) -> LiveSession:
    source = LiveInput("a.mp4", Fraction(30), frames, Path("a.mp4"))
    return LiveSession(source, scene.track, Puppet(scene.track, generator), seconds, scene.track, every_frame=True)


@pytest.mark.usefixtures("detector")
def test_every_frame_with_a_face_is_generated_after_calibration(scene: Scene, generator: Generator) -> None:
    live = make_session(scene, generator, pictures(40))
    frames = list(live.run())
    learned = [each for each in frames if not each.generated]
    assert len(learned) == MIN_FRAMES + 1  # half a second and no less
    assert {each.picture.shape for each in learned} == {(session.PREVIEW, session.PREVIEW, 3)}
    generated = [round(each.time * 30) for each in frames if each.generated]
    assert generated == [number for number in range(MIN_FRAMES + 1, 40) if number not in BLIND]
    assert live.readout.captured == 40
    assert live.readout.generated == len(generated)
    assert {"landmarks", "fit", "drawing", "network", "showing"} == set(live.readout.stages())
    assert live.status()["fps"] > 0
    assert "frames generated of 40 captured" in live.readout.summary()


def test_a_slow_session_skips_frames_and_shows_the_newest(scene: Scene, generator: Generator, detector: list[int]) -> None:
    def camera() -> Iterator[Frame]:
        for number, picture in enumerate(pictures(60)):
            yield picture
            while number <= 2 * MIN_FRAMES and number not in detector:  # until the face is known; then all at once
                time.sleep(1e-3)

    source = LiveInput("a.mp4", Fraction(30), camera(), Path("a.mp4"))
    live = LiveSession(source, scene.track, Puppet(scene.track, generator), 0.5, scene.track)
    generated = [round(each.time * 30) for each in live.run() if each.generated]
    assert live.readout.captured == 60
    assert len(detector) < 60
    assert generated == sorted(set(generated) & set(detector))
    assert generated[-1] == 59


@pytest.mark.usefixtures("detector")
def test_a_frame_counts_once_it_has_been_shown(scene: Scene, generator: Generator) -> None:
    live = make_session(scene, generator, pictures(22))
    for frame in live.run():
        if frame.generated:
            time.sleep(0.05)
    assert 0.05 <= live.readout.stages()["showing"] <= live.readout.latency(1.0)
    assert live.readout.latency(0.0) >= 0.05
    assert 0 < live.readout.rate() < 20


@pytest.mark.usefixtures("detector")
def test_a_camera_that_disappears_is_reported_after_the_last_frame(scene: Scene, generator: Generator) -> None:
    run = make_session(scene, generator, pictures(25, disappears=True)).run()
    assert [round(each.time * 30) for each in islice(run, 25)] == list(range(25))
    with pytest.raises(ReenactError, match="camera 0 gives no more frames"):
        next(run)


@pytest.mark.usefixtures("detector")
def test_a_face_seen_too_shortly_is_reported(scene: Scene, generator: Generator) -> None:
    with pytest.raises(ReenactError, match=r"a face was seen in 10 frames and for 0\.3 s"):
        list(make_session(scene, generator, pictures(10)).run())


def test_a_file_without_a_face_is_reported(scene: Scene, generator: Generator) -> None:
    """With the real detector."""
    with pytest.raises(ReenactError, match=r"a\.mp4: no face was found"):
        list(make_session(scene, generator, pictures(3)).run())


@pytest.mark.usefixtures("detector")
def test_closing_the_iterator_ends_the_session(scene: Scene, generator: Generator) -> None:
    live = make_session(scene, generator, pictures(60))
    run = live.run()
    assert not next(run).generated
    run.close()  # joins all threads
    assert live.readout.generated == 0
