"""Cuts in scenes drawn by hand and in spliced real clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lit_reenact.video import iterate_frames
from lit_reenact.video.cuts import cuts_in, find_cuts, shots, thumbnail

Pictures = npt.NDArray[np.float64]
REAL = ("d6", "d9", "d10", "d14")


def room(seed: int) -> npt.NDArray[np.float64]:
    """A textured background (32, 32)."""
    coarse = np.random.default_rng(seed).uniform(30, 220, (8, 8))
    return np.kron(coarse, np.ones((4, 4)))


def scene(frames: int, seed: int = 0, speed: float = 0.25) -> Pictures:
    """A striped head (a disc of radius 8) that swings in front of a room, up to ``speed`` pixels a frame; 30 frames/s."""
    y, x = np.mgrid[:32, :32] + 0.5
    pictures = []
    for t in range(frames):
        centre = 16 + 6 * np.sin(speed * t / 6 + seed)
        head = np.hypot(x - centre, y - 15) < 8
        pictures.append(np.where(head, 128 + 60 * np.sin((x - centre) * 1.5 + y / 2 + seed), room(seed)))
    return np.stack(pictures)


def cuts_of(pictures: Pictures) -> tuple[int, ...]:
    return find_cuts(pictures.round().clip(0, 255).astype(np.uint8))


def flickering(pictures: Pictures) -> Pictures:
    return pictures * np.random.default_rng(0).uniform(0.6, 1, (len(pictures), 1, 1))


def lamp_switched_off(pictures: Pictures) -> Pictures:
    light = np.ones(pictures.shape)
    light[30:] = np.linspace(0.3, 0.8, 32)
    return pictures * light


def flashes(pictures: Pictures) -> Pictures:
    bright = pictures.copy()
    bright[30:32] = 255
    bright[50] = 0
    return bright


def blinks(pictures: Pictures) -> Pictures:
    blinking = pictures.copy()
    blinking[[20, 21, 40, 41], 12:14, 12:20] = 90
    return blinking


def every_frame_thrice(pictures: Pictures) -> Pictures:
    noise = np.random.default_rng(0).normal(0, 0.3, (3 * len(pictures), 32, 32))
    return np.repeat(pictures, 3, axis=0) + noise


@pytest.mark.parametrize("change", [flickering, lamp_switched_off, flashes, blinks, every_frame_thrice])
def test_what_is_no_cut(change: Callable[[Pictures], Pictures]) -> None:
    assert cuts_of(change(scene(80))) == ()


def test_fast_turns_are_no_cuts() -> None:
    """The head crosses the picture in four frames, then rests."""
    turn = scene(80, speed=0.0)
    turn[40:] = scene(40, speed=3.0)
    assert cuts_of(turn) == ()


def test_cuts_are_found_at_their_first_frame() -> None:
    spliced = np.concatenate([scene(40), scene(5, seed=1), scene(30, seed=2)])
    assert cuts_of(spliced) == (40, 45)
    assert cuts_of(every_frame_thrice(spliced)) == (120, 135)
    assert cuts_of(flickering(spliced)) == (40, 45)


def test_a_jump_within_a_scene_is_a_cut() -> None:
    assert cuts_of(np.concatenate([scene(60)[:30], scene(200)[100:140]])) == (30,)


def test_too_short_to_tell() -> None:
    assert find_cuts(np.zeros((0, 32, 32), dtype=np.uint8)) == ()
    assert find_cuts(np.zeros((1, 32, 32), dtype=np.uint8)) == ()
    assert find_cuts(np.zeros((9, 32, 32), dtype=np.uint8)) == ()


def test_shots() -> None:
    assert shots((), 5) == [(0, 5)]
    assert shots((2, 4), 5) == [(0, 2), (2, 4), (4, 5)]


@pytest.fixture(scope="module")
def clips(shared_dir: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """Thumbnails of the first 300 frames of the real clips."""
    frames = {name: iterate_frames(shared_dir / "videos" / f"{name}.mp4") for name in REAL}
    return {name: np.stack([thumbnail(frame) for frame, _ in zip(shown, range(300))]) for name, shown in frames.items()}  # noqa: B905


@pytest.mark.slow
def test_real_clips_have_none_at_any_frame_rate(clips: dict[str, npt.NDArray[np.uint8]]) -> None:
    for clip in clips.values():
        for step in (1, 2, 3, 6):
            assert find_cuts(clip[::step]) == ()


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 6])
def test_spliced_real_clips(clips: dict[str, npt.NDArray[np.uint8]], step: int) -> None:
    for first in REAL:
        for second in REAL:
            if first != second:
                spliced = np.concatenate([clips[first][:120:step], clips[second][120:240:step]])
                assert find_cuts(spliced) == (120 // step,)


@pytest.mark.slow
def test_jumps_within_real_clips(clips: dict[str, npt.NDArray[np.uint8]]) -> None:
    """Cuts that change the picture 2.5 times as much as the fastest motion are found; smaller ones may look like motion."""
    looked_at = 0
    for clip in clips.values():
        fastest = np.abs(np.diff(clip.astype(float), axis=0)).mean((1, 2)).max()
        for start in range(50, 250, 20):
            for jump in range(100, 250, 20):
                step = np.abs(clip[start - 1].astype(float) - clip[jump]).mean()
                if step > 2.5 * fastest:
                    looked_at += 1
                    assert find_cuts(np.concatenate([clip[start - 50 : start], clip[jump : jump + 50]])) == (50,)
    assert looked_at > 15


def test_cuts_in_a_part_count_from_its_start() -> None:
    assert cuts_in(range(10, 20), (3, 10, 11, 19, 20)) == (1, 9)  # a part that starts with a cut has none there
    assert cuts_in(range(5), (1, 4, 5)) == (1, 4)
