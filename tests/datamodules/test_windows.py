"""Windows against a slow construction, frame by frame."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from datamodules.conditioning_cache import CACHE_CHANNELS
from datamodules.windows import ClipFrames, WindowDataset, window_indices
from lit_reenact.video import FrameReader

FRAMES, SIZE = 30, 16


@pytest.fixture
def conditioning(tmp_path: Path) -> Path:
    """Images that differ in every frame, channel and pixel."""
    path = tmp_path / "conditioning.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (FRAMES, CACHE_CHANNELS, SIZE, SIZE), dtype=np.uint8))
    return path


def dataset(conditioning: Path, track_folder: Path, part: range, valid: Tensor | None = None, window: int = 4) -> WindowDataset:
    valid = torch.ones(FRAMES, dtype=torch.bool) if valid is None else valid
    return WindowDataset(conditioning, ClipFrames(track_folder / "clip.mp4", SIZE), part, valid, window)


def test_the_window_ends_at_its_frame_and_the_first_frame_is_repeated() -> None:
    assert window_indices(index=20, start=0, window=4) == [17, 18, 19, 20]
    assert window_indices(index=11, start=10, window=4) == [10, 10, 10, 11]
    assert window_indices(index=10, start=10, window=1) == [10]


def test_no_window_crosses_the_start_of_its_part(conditioning: Path, track_folder: Path) -> None:
    images = np.load(conditioning)
    first = dataset(conditioning, track_folder, range(12, 20))[0]
    assert first.number == 12
    assert np.array_equal(first.conditioning.numpy(), np.concatenate([images[12, :9]] * 4))


def test_every_item_equals_its_naive_construction(conditioning: Path, track_folder: Path) -> None:
    images = np.load(conditioning)
    clip = FrameReader(track_folder / "clip.mp4").read(range(FRAMES)).numpy()
    part = range(5, 25)
    windows = dataset(conditioning, track_folder, part)
    assert len(windows) == len(part)
    for item, index in zip(windows, part, strict=False):
        stacked = []
        for frame in range(index - 3, index + 1):
            for channel in range(9):
                stacked.append(images[max(frame, part.start), channel])  # noqa: PERF401
        small = clip[index].reshape(SIZE, 4, SIZE, 4, 3).astype(float).mean((1, 3)).round()  # the clip has 64 pixels
        assert np.array_equal(item.conditioning.numpy(), np.stack(stacked))
        assert np.abs(item.frame.permute(1, 2, 0).numpy() - small).max() <= 1
        assert np.array_equal(item.region.numpy(), images[index, 9])
        assert item.number == index


def test_windows_with_a_frame_without_a_face_are_left_out(conditioning: Path, track_folder: Path) -> None:
    valid = torch.ones(FRAMES, dtype=torch.bool)
    valid[10] = False
    windows = dataset(conditioning, track_folder, range(20), valid, window=3)
    assert windows.indices == [index for index in range(20) if index not in (10, 11, 12)]


def test_windows_that_reach_over_a_cut_are_left_out(conditioning: Path, track_folder: Path) -> None:
    """The first frame of a part may come right after a cut: before it only that frame itself is repeated."""
    frames, valid = ClipFrames(track_folder / "clip.mp4", SIZE), torch.ones(FRAMES, dtype=torch.bool)
    windows = WindowDataset(conditioning, frames, range(5, 20), valid, window=3, cuts=(3, 5, 12, 25))
    assert windows.indices == [index for index in range(5, 20) if index not in (12, 13)]


def test_a_pickled_dataset_carries_neither_frames_nor_maps_and_reads_the_same(conditioning: Path, track_folder: Path) -> None:
    windows = dataset(conditioning, track_folder, range(20))
    before = windows[7]
    pickled = pickle.dumps(windows)
    after = pickle.loads(pickled)[7]
    assert len(pickled) < 10_000
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_decoded_frames_are_kept_up_to_the_bound(track_folder: Path) -> None:
    frames = ClipFrames(track_folder / "clip.mp4", 64, keep_bytes=3 * 64 * 64 * 2)
    shown = [frames[index] for index in (5, 6, 7)]
    assert set(frames.kept) == {5, 6}
    assert all(torch.equal(frames[index], frame) for index, frame in zip((5, 6, 7), shown, strict=True))
