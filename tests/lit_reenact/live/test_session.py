"""All stages together, with a detector that finds the face of a known scene."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.landmarks.detection import Points
from lit_reenact.live import session
from lit_reenact.live.camera import LiveInput
from lit_reenact.live.follower import LEAST
from lit_reenact.live.puppet import Puppet
from lit_reenact.live.session import LiveSession
from lit_reenact.networks.generator import Generator
from lit_reenact.video.io import Frame
from tests.lit_reenact.live.conftest import SIZE, Scene

BLIND = range(30, 33)
"""Frames in which the detector finds nothing."""


def pictures(count: int, vanishes: bool = False) -> Iterator[Frame]:
    """Each shows its number."""
    for number in range(count):
        yield np.full((SIZE, SIZE, 3), number, np.uint8)
    if vanishes:
        raise ReenactError("camera 0 gives no more pictures")


@pytest.fixture
def detector(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the pictures that it was given."""
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
    return LiveSession(source, scene.track, Puppet(scene.track, generator), seconds, scene.track, patient=True)


@pytest.mark.usefixtures("detector")
def test_every_picture_with_a_face_is_made_once_it_is_known(scene: Scene, generator: Generator) -> None:
    live = make_session(scene, generator, pictures(40))
    shown = list(live.run())
    learned = [each for each in shown if not each.made]
    assert len(learned) == LEAST + 1  # half a second and no less
    assert {each.picture.shape for each in learned} == {(session.PREVIEW, session.PREVIEW, 3)}
    made = [round(each.time * 30) for each in shown if each.made]
    assert made == [number for number in range(LEAST + 1, 40) if number not in BLIND]
    assert live.readout.taken == 40
    assert live.readout.made == len(made)
    assert {"landmarks", "fit", "drawing", "network", "showing"} == set(live.readout.stages())
    assert live.status()["fps"] > 0
    assert "pictures made of 40 taken" in live.readout.summary()


def test_what_cannot_keep_up_leaves_pictures_out_and_shows_the_newest(
    scene: Scene, generator: Generator, detector: list[int]
) -> None:
    def camera() -> Iterator[Frame]:
        for number, picture in enumerate(pictures(60)):
            yield picture
            while number <= 2 * LEAST and number not in detector:  # until the face is known; then all at once
                time.sleep(1e-3)

    source = LiveInput("a.mp4", Fraction(30), camera(), Path("a.mp4"))
    live = LiveSession(source, scene.track, Puppet(scene.track, generator), 0.5, scene.track)
    made = [round(each.time * 30) for each in live.run() if each.made]
    assert live.readout.taken == 60
    assert len(detector) < 60
    assert made == sorted(set(made) & set(detector))
    assert made[-1] == 59


@pytest.mark.usefixtures("detector")
def test_a_picture_counts_when_it_has_been_shown(scene: Scene, generator: Generator) -> None:
    live = make_session(scene, generator, pictures(22))
    for shown in live.run():
        if shown.made:
            time.sleep(0.05)
    assert 0.05 <= live.readout.stages()["showing"] <= live.readout.latency(1.0)
    assert live.readout.latency(0.0) >= 0.05
    assert 0 < live.readout.rate() < 20


@pytest.mark.usefixtures("detector")
def test_a_camera_that_vanishes_is_told_after_the_last_picture(scene: Scene, generator: Generator) -> None:
    run = make_session(scene, generator, pictures(25, vanishes=True)).run()
    assert [round(each.time * 30) for each in islice(run, 25)] == list(range(25))
    with pytest.raises(ReenactError, match="camera 0 gives no more pictures"):
        next(run)


@pytest.mark.usefixtures("detector")
def test_a_face_seen_too_shortly_is_told(scene: Scene, generator: Generator) -> None:
    with pytest.raises(ReenactError, match=r"a face was seen in 10 pictures and for 0\.3 s"):
        list(make_session(scene, generator, pictures(10)).run())


def test_a_file_without_a_face_is_told(scene: Scene, generator: Generator) -> None:
    """With the real detector."""
    with pytest.raises(ReenactError, match=r"a\.mp4: no face was found"):
        list(make_session(scene, generator, pictures(3)).run())


@pytest.mark.usefixtures("detector")
def test_it_ends_when_nobody_looks_any_more(scene: Scene, generator: Generator) -> None:
    live = make_session(scene, generator, pictures(60))
    run = live.run()
    assert not next(run).made
    run.close()  # joins all threads
    assert live.readout.made == 0
