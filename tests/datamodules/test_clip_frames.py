"""Frames from the cache file and from the clip are equal, and those in the file are decoded once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_reenact.datamodules.clip_frames import ClipFrames
from lit_reenact.video import FrameReader, iterate_frames


@pytest.fixture
def clip(track_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(track_folder / "clip.mp4", tmp_path))


@pytest.mark.parametrize("keep", [0, 7, 1000])
def test_frames_are_those_of_the_clip(clip: Path, keep: int) -> None:
    frames = ClipFrames(clip, "0", 64, keep)
    frames.ensure(progress=False)
    assert len(frames) == 120
    assert frames.keep == min(keep, 120)
    frame_numbers = [3, 4, 5, 6, 7, 8, 119, 2]
    expected = np.stack(list(iterate_frames(clip)))[frame_numbers]
    assert np.array_equal(frames.read(torch.tensor(frame_numbers)).numpy(), expected)


def test_cached_frames_are_decoded_once(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = ClipFrames(clip, "0", 32, keep=10)
    frames.ensure(progress=False)
    decoded: list[int] = []
    read = FrameReader.read
    monkeypatch.setattr(FrameReader, "read", lambda self, numbers: decoded.extend(numbers) or read(self, numbers))
    again = ClipFrames(clip, "0", 32, keep=10)
    again.ensure(progress=False)
    again.read(torch.tensor([0, 9, 5]))
    assert decoded == []
    again.read(torch.tensor([9, 10, 11]))
    assert decoded == [10, 11]


def test_another_size_or_number_of_frames_has_another_file(clip: Path) -> None:
    files = [ClipFrames(clip, *settings).file.path.name for settings in (("0", 32, 9), ("1", 32, 9), ("0", 64, 9), ("0", 32, 8))]
    assert len(set(files)) == 4


def test_a_damaged_file_is_written_again(clip: Path) -> None:
    frames = ClipFrames(clip, "0", 32, keep=10)
    frames.ensure(progress=False)
    whole = frames.file.path.read_bytes()
    frames.file.path.write_bytes(whole[:-1000])
    frames.ensure(progress=False)
    assert frames.file.path.read_bytes() == whole
