"""Pasting back: nothing outside changes, no seam shows, and colours are matched only where the pictures meet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from lit_reenact.core.schema import CropBox
from lit_reenact.synthesis.pasting import FEATHER, Paster
from lit_reenact.video import iterate_frames

Frame = npt.NDArray[np.uint8]

CROP = CropBox(x=40, y=30, side=120)
INSIDE = np.s_[30:150, 40:160]


@pytest.fixture
def scene() -> Frame:
    """A frame of 240 x 200 pixels with a soft texture."""
    noise = np.random.default_rng(0).uniform(0, 255, (200, 240, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 3)
    return ((blurred - blurred.mean()) * 6 + 128).clip(30, 220).astype(np.uint8)


def steps_along(frame: Frame, crop: CropBox) -> npt.NDArray[np.float64]:
    """Return the mean absolute brightness step across nested squares, from just outside the crop to its middle."""
    grey, means = frame.astype(np.float64).mean(-1), []
    for inset in range(crop.side // 4):
        low_x, high_x, low_y, high_y = crop.x + inset, crop.x + crop.side - inset, crop.y + inset, crop.y + crop.side - inset
        steps = []
        if low_x > 0:
            steps.append(grey[low_y:high_y, low_x] - grey[low_y:high_y, low_x - 1])
        if high_x < grey.shape[1]:
            steps.append(grey[low_y:high_y, high_x - 1] - grey[low_y:high_y, high_x])
        if low_y > 0:
            steps.append(grey[low_y, low_x:high_x] - grey[low_y - 1, low_x:high_x])
        if high_y < grey.shape[0]:
            steps.append(grey[high_y - 1, low_x:high_x] - grey[high_y, low_x:high_x])
        means.append(np.abs(np.concatenate(steps)).mean())
    return np.array(means)


def paste_hard(scene: Frame, crop: Frame) -> Frame:
    """Paste without feathering or matching colours."""
    pasted = scene.copy()
    pasted[INSIDE] = crop
    return pasted


def tinted(scene: Frame) -> Frame:
    """Return the crop as a network might generate it: brighter to one side and with another tint."""
    slope = np.linspace(0, 40, CROP.side)[None, :, None]
    return (scene[INSIDE] + slope + np.array([10, 20, -15])).clip(0, 255).astype(np.uint8)


def test_nothing_outside_changes(scene: Frame) -> None:
    before = scene.copy()
    pasted = Paster(CROP, 240, 200)(scene, tinted(scene))
    assert np.array_equal(scene, before)
    outside = np.ones(scene.shape[:2], dtype=bool)
    outside[INSIDE] = False
    assert np.array_equal(pasted[outside], scene[outside])
    assert not np.array_equal(pasted[INSIDE], scene[INSIDE])


def test_another_light_leaves_no_seam(scene: Frame) -> None:
    crop = tinted(scene)
    real = steps_along(scene, CROP)
    assert (steps_along(paste_hard(scene, crop), CROP) / real)[0] > 4
    assert (steps_along(Paster(CROP, 240, 200)(scene, crop), CROP) / real).max() < 1.2


def test_colours_stay_the_networks_own_in_the_middle(scene: Frame) -> None:
    crop = tinted(scene)
    pasted = Paster(CROP, 240, 200)(scene, crop)[INSIDE].astype(int)
    reach = round(3 * FEATHER * CROP.side) + 4  # the small picture that colours are compared in is enlarged
    middle = np.s_[reach:-reach, reach:-reach]
    assert np.array_equal(pasted[middle], crop[middle])
    assert np.abs(pasted[0] - scene[INSIDE][0]).max() <= 2


def test_what_is_there_already_can_be_pasted(scene: Frame) -> None:
    assert np.array_equal(Paster(CROP, 240, 200)(scene, scene[INSIDE]), scene)


def test_a_crop_of_the_whole_frame_is_taken_as_it_is(scene: Frame) -> None:
    square = np.ascontiguousarray(scene[:, :200])
    crop = np.full((200, 200, 3), 77, np.uint8)
    assert np.array_equal(Paster(CropBox(0, 0, 200), 200, 200)(square, crop), crop)


def test_sides_that_end_with_the_frame_are_not_feathered(scene: Frame) -> None:
    """A crop as high as the frame meets another picture only on its left and right."""
    crop = np.full((200, 200, 3), 77, np.uint8)
    pasted = Paster(CropBox(20, 0, 200), 240, 200)(scene, crop)
    assert (pasted[[0, -1], 110:130] == 77).all()
    assert np.array_equal(pasted[:, :20], scene[:, :20])
    assert np.abs(pasted[:, 20].astype(int) - scene[:, 20]).max() <= 4


def test_a_crop_outside_the_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="does not lie"):
        Paster(CropBox(30, 0, 200), 220, 200)


@pytest.mark.parametrize(("name", "crop"), [("d9", CropBox(27, 0, 480)), ("d6", CropBox(60, 40, 360))])
def test_no_seam_in_a_real_video(name: str, crop: CropBox, shared_dir: Path) -> None:
    """The pasted crop has a quarter of the pixels, another light, and shows the head half a second later."""
    frames = [frame for _, frame in zip(range(46), iterate_frames(shared_dir / "videos" / f"{name}.mp4"), strict=False)]
    frame, later = frames[30], frames[45]
    cut = later[crop.y : crop.y + crop.side, crop.x : crop.x + crop.side]
    generated = (cv2.resize(cut, (128, 128), interpolation=cv2.INTER_AREA) * 0.9 + 5).astype(np.uint8)
    paster = Paster(crop, frame.shape[1], frame.shape[0])
    bands = round(FEATHER * crop.side)
    real = steps_along(frame, crop)[:bands]
    ratio = steps_along(paster(frame, generated), crop)[:bands] / real
    assert ratio.max() < 1.5, ratio
