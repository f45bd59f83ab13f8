"""Full frames read in any order equal those read in order, for every kind of file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.core.schema import CropBox, Track
from lit_reenact.synthesis.frame_access import BLOCK, read_frames
from lit_reenact.synthesis.full_frames import FullFrames
from lit_reenact.video import iterate_frames, probe
from tests.factories import make_track
from tests.video_files import number_of, numbered, remux, write_video

COUNT = 150


def plain(folder: Path) -> Path:
    """Write a video with a key frame every 100 frames."""
    return write_video(folder / "plain.mp4", [numbered(k) for k in range(COUNT)])


def uneven(folder: Path) -> Path:
    """Write a video with a variable rate: at a constant rate some of its frames are shown twice, others never."""
    times = np.cumsum(np.random.default_rng(0).choice([1, 2, 2, 2, 5], COUNT))
    return write_video(folder / "uneven.mp4", [numbered(k) for k in range(COUNT)], times.tolist(), Fraction(1, 60))


def cut(folder: Path) -> Path:
    """Write a video whose edit list hides the first frames."""
    return remux(plain(folder), folder / "cut.mp4", cut=Fraction(1))


def turned(folder: Path) -> Path:
    return remux(plain(folder), folder / "turned.mp4", rotation=90)


@pytest.mark.parametrize("make", [plain, uneven, cut, turned])
def test_any_order_gives_the_frames_of_reading_in_order(make: Callable[[Path], Path], tmp_path: Path) -> None:
    video = make(tmp_path)
    fps = probe(video).fps
    expected = [frame.copy() for frame in iterate_frames(video)]
    last = len(expected) - 1
    there, back = list(range(last + 1)), list(range(last, -1, -1))
    some = np.random.default_rng(1).integers(0, last + 1, 2 * BLOCK).tolist()
    for numbers in (there, [*there[-20:], *back], some, [last] * 3, [0]):
        for number, frame in zip(numbers, read_frames(video, fps, numbers), strict=True):
            assert np.array_equal(frame, expected[number]), number


def test_going_back_shows_the_numbers_that_were_asked_for(tmp_path: Path) -> None:
    """The frames show their numbers, so no other reader is needed."""
    numbers = [149, 148, 99, 100, 3, 0]
    assert [number_of(frame) for frame in read_frames(plain(tmp_path), Fraction(30), numbers)] == numbers


@pytest.fixture
def track(tmp_path: Path) -> tuple[Track, Path]:
    """A track whose original is the numbered video; its crop is a square in the middle."""
    video = plain(tmp_path)
    track = make_track(tmp_path / "track", frames=12, size=32, fps=Fraction(30))
    info = replace(track.info, source=video.name, source_sha256=sha256_of(video), crop=CropBox(20, 10, 40))
    return replace(track, info=info), video


def test_each_crop_lands_in_the_frame_that_lies_under_it(track: tuple[Track, Path]) -> None:
    full = FullFrames(track[0], track[1], [5, 6, 5, 0])
    assert len(full) == 4
    frames = list(full.frames(first=1))
    assert [number_of(frame) for frame in frames] == [6, 5, 0]
    pasted = full.paste(np.full((32, 32, 3), 128, np.uint8), frames[0])
    assert number_of(pasted[55:]) == 6
    assert np.array_equal(pasted[:10], frames[0][:10])
    assert not np.array_equal(pasted[30], frames[0][30])


def test_another_video_is_refused(track: tuple[Track, Path], tmp_path: Path) -> None:
    other = write_video(tmp_path / "other.mp4", [numbered(k) for k in range(20)])
    with pytest.raises(ReenactError, match=r"other\.mp4 is not the video .*plain\.mp4"):
        FullFrames(track[0], other, [0])
