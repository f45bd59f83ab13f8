"""Runs that continue where a killed run stopped, and end with the same track."""

from __future__ import annotations

import time
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from lit_reenact.core.schema import Track
from lit_reenact.landmarks import detection
from lit_reenact.landmarks.detection import LEAD
from lit_reenact.tracking import face_search, tracker
from lit_reenact.tracking.tracker import TrackerSettings, track_video
from tests.video_files import write_video

BLOCK, FRAMES = 20, 60
SETTINGS = TrackerSettings(texture_size=64, texture_frames=8, skin_points=200)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photograph = astronaut()
    shifts = [round(6 * np.sin(k / 5)) for k in range(FRAMES)]
    frames = [np.ascontiguousarray(photograph[:256, 96 + shift : 352 + shift]) for shift in shifts]
    return write_video(tmp_path_factory.mktemp("resume") / "face.mp4", frames)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Shorten the blocks; return a list with an entry for every frame that a detector searches."""
    calls: list[int] = []
    look = detection._faces_of

    def counted(frame: Any, mesh: Any) -> Any:
        calls.append(len(calls))
        return look(frame, mesh)

    for module in (detection, face_search):
        monkeypatch.setattr(module, "BLOCK", BLOCK)
    monkeypatch.setattr(detection, "_faces_of", counted)
    return calls


def made(video: Path, folder: Path) -> Track:
    return track_video(video, folder, SETTINGS, size=64, progress=False)


def track_slowly(video: Path, folder: Path) -> None:
    """Track with a slow detector, as the target of a process of its own."""
    look = detection._faces_of

    def slowly(frame: Any, mesh: Any) -> Any:
        time.sleep(0.05)
        return look(frame, mesh)

    detection.BLOCK = face_search.BLOCK = BLOCK
    detection._faces_of = slowly
    made(video, folder)


def stop_at_the_fit(video: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tracker, "fit_landmarks", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            made(video, folder)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def assert_equal(one: Track, two: Track) -> None:
    """Compare clip and landmarks bit by bit, and the fit within the repeatability of a linear algebra library."""
    assert one.info == two.info  # the clip's checksum is part of it
    torch.testing.assert_close(one.landmarks.points, two.landmarks.points, rtol=0, atol=0, equal_nan=True)
    assert one.valid.equal(two.valid)
    for field in fields(one.parameters):
        values = (getattr(track.parameters, field.name) for track in (one, two))
        torch.testing.assert_close(*values, rtol=1e-4, atol=1e-4)


def test_killed_while_searching_for_faces(
    video: Path, tmp_path: Path, searched: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    whole = made(video, tmp_path / "whole")
    assert len(searched) == FRAMES + FRAMES // BLOCK * LEAD

    killed = tmp_path / "killed"
    process = get_context("spawn").Process(target=track_slowly, args=(video, killed))
    process.start()
    while process.is_alive() and not (killed / "unfinished" / "faces-0.safetensors").is_file():
        time.sleep(0.01)
    process.kill()
    process.join()
    assert not (killed / "clip.mp4").exists()
    known = BLOCK * len(list((killed / "unfinished").glob("faces-*")))
    assert 0 < known < FRAMES

    searched.clear()
    capsys.readouterr()
    again = made(video, killed)
    assert len(searched) == LEAD + (FRAMES - known) // BLOCK * (BLOCK + LEAD)
    assert f"face.mp4: faces in {known} of {FRAMES} frames are known" in capsys.readouterr().err
    assert_equal(whole, again)
    assert files(killed) == files(tmp_path / "whole") == {"clip.mp4", "track.safetensors", "report.html", "report.png"}


def test_killed_while_fitting(video: Path, tmp_path: Path, searched: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the search for faces nor the clip is repeated, unless the clip has changed."""
    whole = made(video, tmp_path / "whole")
    stopped = tmp_path / "stopped"
    stop_at_the_fit(video, stopped, monkeypatch)
    searched.clear()
    written = (stopped / "clip.mp4").stat().st_mtime_ns
    stop_at_the_fit(video, stopped, monkeypatch)
    assert (stopped / "clip.mp4").stat().st_mtime_ns == written
    (stopped / "clip.mp4").write_bytes(b"damaged")
    assert_equal(whole, made(video, stopped))
    assert not searched
    assert files(stopped) == files(tmp_path / "whole")
