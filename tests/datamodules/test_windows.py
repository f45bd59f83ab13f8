"""Windows, compared with a slow construction frame by frame."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from lit_reenact.core.schema import FrameImages, Runs
from lit_reenact.datamodules.cache_file import CacheFile
from lit_reenact.datamodules.clip_frames import ClipFrames
from lit_reenact.datamodules.conditioning_cache import CachedImages
from lit_reenact.datamodules.windows import Part, WindowDataset
from lit_reenact.networks.windows import WindowMemory, WindowShape, stack_windows
from lit_reenact.video import FrameReader

FRAMES, SIZE = 30, 16


@pytest.fixture
def part(tmp_path: Path, track_folder: Path) -> Part:
    """Return frames 5 to 24 of a clip whose conditioning images differ in every frame, channel and pixel."""
    shape = (FRAMES, SIZE, SIZE, 10)
    file = CacheFile(tmp_path, "images", "0", shape)
    file.write([np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)])
    frames = ClipFrames(track_folder / "clip.mp4", "0", SIZE, keep=0)
    return Part(CachedImages(file), frames, range(5, 25), torch.ones(FRAMES, dtype=torch.bool))


def naive(part: Part, number: int, offsets: range) -> Tensor:
    """Return the stacked images (N_w * 9, SIZE, SIZE) of one window, built channel by channel."""
    edges = [5, *part.cuts, 25]
    first = max(edge for edge in edges if edge <= number)
    last = min(edge for edge in edges if edge > number) - 1
    stacked = []
    for offset in offsets:
        frame = max(first, min(number + offset, last))
        for channel in range(9):
            stacked.append(part.images(torch.tensor([frame])).conditioning[0, channel])  # type: ignore[union-attr]  # noqa: PERF401
    return torch.stack(stacked)


def stacked(runs: Runs) -> Tensor:
    assert isinstance(runs.images, FrameImages)
    return ((stack_windows(runs.images.conditioning, runs.shown, WindowMemory()) + 1) * 127.5).round().to(torch.uint8)


@pytest.mark.parametrize("cuts", [(), (3, 5, 12, 24)])
@pytest.mark.parametrize(
    ("shape", "offsets"),
    [
        (WindowShape(4), range(-3, 1)),
        (WindowShape(4, "causal", 3), range(-9, 1, 3)),
        (WindowShape(5, "centred"), range(-2, 3)),
        (WindowShape(4, "centred", 2), range(-4, 3, 2)),
        (WindowShape(1), range(1)),
    ],
)
def test_every_window_equals_its_naive_construction(
    part: Part, track_folder: Path, shape: WindowShape, offsets: range, cuts: tuple[int, ...]
) -> None:
    part = replace(part, cuts=cuts)
    windows = WindowDataset([part], shape)
    assert windows.number.tolist() == list(range(5, 25))
    clip = FrameReader(track_folder / "clip.mp4").read(range(FRAMES)).numpy()
    batch = windows.__getitems__([3, 4, 5, 19, 0, 1, 7, 12])
    assert batch.number.tolist() == [8, 9, 10, 24, 5, 6, 12, 17]
    actual = stacked(batch)
    for k, number in enumerate(batch.number.tolist()):
        assert torch.equal(actual[k], naive(part, number, offsets))
        small = clip[number].reshape(SIZE, 4, SIZE, 4, 3).astype(float).mean((1, 3)).round()  # the clip has 64 pixels
        assert np.abs(batch.frame[k].permute(1, 2, 0).numpy() - small).max() <= 1


def test_no_image_is_delivered_twice(part: Part) -> None:
    batch = WindowDataset([part], WindowShape(4)).__getitems__([4, 5, 6, 7, 6])
    assert batch.images.conditioning.shape == (7, 9, SIZE, SIZE)  # type: ignore[union-attr]
    assert batch.shown.tolist() == [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6], [2, 3, 4, 5]]


def test_windows_with_a_frame_without_a_face_are_left_out(part: Part) -> None:
    valid = part.valid.clone()
    valid[10] = False
    part = replace(part, valid=valid)
    causal = WindowDataset([part], WindowShape(3))
    assert causal.number.tolist() == [n for n in range(5, 25) if n not in (10, 11, 12)]
    assert causal.stretches == [range(5), range(5, 17)]
    centred = WindowDataset([part], WindowShape(3, "centred", 2))
    assert centred.number.tolist() == [n for n in range(5, 25) if n not in (8, 10, 12)]


def test_stretches_end_at_cuts(part: Part) -> None:
    windows = WindowDataset([replace(part, cuts=(12, 24))], WindowShape(3))
    assert windows.stretches == [range(7), range(7, 19), range(19, 20)]


def test_several_clips_follow_each_other(part: Part, track_folder: Path) -> None:
    """A batch from two clips holds the windows of each; numbers count within a clip."""
    valid = part.valid.clone()
    valid[20:] = False
    other = replace(part, span=range(8, 20), valid=valid)
    both = WindowDataset([part, other], WindowShape(3))
    assert both.stretches == [range(20), range(20, 32)]
    mixed = both.__getitems__([0, 21, 1, 20])
    assert mixed.actor.tolist() == [0, 1, 0, 1]
    assert mixed.number.tolist() == [5, 9, 6, 8]
    first, second = WindowDataset([part], WindowShape(3)), WindowDataset([other], WindowShape(3))
    expected = [first[0], second[1], first[1], second[0]]
    assert torch.equal(stacked(mixed), torch.cat([stacked(window) for window in expected]))
    assert torch.equal(mixed.frame, torch.cat([window.frame for window in expected]))


def test_a_pickled_dataset_carries_neither_frames_nor_maps_and_reads_the_same(part: Part) -> None:
    windows = WindowDataset([part], WindowShape(4))
    before = windows[7]
    pickled = pickle.dumps(windows)
    after: Any = pickle.loads(pickled)[7]
    assert len(pickled) < 10_000
    assert all(torch.equal(a, b) for a, b in zip(tree_leaves(before), tree_leaves(after), strict=True))
