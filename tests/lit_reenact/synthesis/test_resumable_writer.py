"""Pieces join to the whole video, and writing continues after a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.synthesis import resumable_writer
from lit_reenact.synthesis.resumable_writer import ResumableWriter
from lit_reenact.video import iterate_frames, probe, read_tags
from tests.video_files import click, loudest_time, number_of, numbered, write_video

FPS = Fraction(30000, 1001)
TOTAL = 50


class KilledError(Exception):
    pass


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable_writer, "PIECE", 12)


def write(
    path: Path,
    frames: Iterable[int],
    key: str = "a",
    kill: bool = False,
    audio: Path | None = None,
    finish: Callable[[Path], None] | None = None,
) -> None:
    with ResumableWriter(path, FPS, TOTAL, key, tags={"title": "pieces"}, audio_from=audio, crf=5, finish=finish) as video:
        for number in frames:
            video.write(numbered(number))
        if kill:
            raise KilledError


def count_written(path: Path, key: str = "a") -> int:
    return ResumableWriter(path, FPS, TOTAL, key, tags={}).frame_count


def leftovers(path: Path) -> list[Path]:
    return [other for other in path.parent.iterdir() if other != path]


def test_pieces_are_one_video(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.mp4"
    write(path, range(TOTAL))
    info = probe(path)
    assert (info.frame_count, info.fps, info.variable_rate) == (TOTAL, FPS, False)
    assert [number_of(frame) for frame in iterate_frames(path)] == list(range(TOTAL))
    assert read_tags(path)["title"] == "pieces"
    assert not leftovers(path)


def test_after_a_kill_it_goes_on_with_the_last_whole_piece(tmp_path: Path) -> None:
    path, whole = tmp_path / "out.mp4", tmp_path / "whole" / "out.mp4"
    with pytest.raises(KilledError):
        write(path, range(30), kill=True)
    assert not path.exists()
    assert count_written(path) == 24
    write(path, range(24, TOTAL))
    write(whole, range(TOTAL))
    assert all(np.array_equal(a, b) for a, b in zip(iterate_frames(path), iterate_frames(whole), strict=True))


def test_killed_at_the_very_end(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"

    def die(_: Path) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        write(path, range(TOTAL), finish=die)
    assert not path.exists()
    assert count_written(path) == TOTAL
    write(path, [])
    assert [number_of(frame) for frame in iterate_frames(path)] == list(range(TOTAL))
    assert not leftovers(path)


def test_pieces_of_something_else_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with pytest.raises(KilledError):
        write(path, range(30), kill=True)
    assert count_written(path, key="b") == 0
    assert count_written(path, key="a") == 0


def test_two_videos_go_on_together(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with pytest.raises(KilledError):
        write(path, range(40), kill=True)
    with ResumableWriter(path, FPS, TOTAL, "a", tags={}, crf=5) as video:
        assert video.frame_count == 36
        video.resume_at(12)
        for number in range(12, TOTAL):
            video.write(numbered(100 + number))
    assert [number_of(frame) for frame in iterate_frames(path)] == [*range(12), *range(112, 100 + TOTAL)]


def test_a_video_that_is_too_short_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with pytest.raises(ReenactError, match="30 frames of 50"):
        write(path, range(30))
    assert not path.exists()


def test_what_is_refused_at_once_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        write(tmp_path / "out.mp4", range(5), kill=True)
    assert not list(tmp_path.iterdir())


def test_sound_stays_in_time(tmp_path: Path) -> None:
    """A click stays within the third piece, and no sound follows the last frame."""
    source, path = tmp_path / "source.mp4", tmp_path / "out" / "out.mp4"
    write_video(source, [numbered(k) for k in range(90)], sound=click(3.0, at=1.0))
    write(path, range(TOTAL), audio=source)
    assert loudest_time(path) == pytest.approx(1.0, abs=0.03)
    assert probe(path).duration == pytest.approx(float(TOTAL / FPS), abs=0.01)
