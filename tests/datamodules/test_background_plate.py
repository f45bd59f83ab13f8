"""The background plate of a clip with a known wall, from its training frames alone, through its cache file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from skimage.data import astronaut
from torch import Tensor

from lit_reenact.datamodules.background_plate import BackgroundPlate
from lit_reenact.datamodules.clip_frames import ClipFrames
from lit_reenact.landmarks.person import grow, shrink
from lit_reenact.video import VideoWriter, resize_frames

SIZE, TRAINING, HELD_OUT = 64, 24, 8
WALL = torch.linspace(60, 180, SIZE).round()[:, None, None].expand(SIZE, SIZE, 3)
SHIRT = torch.tensor([20.0, 230.0, 20.0])
MARKER = torch.tensor([255.0, 0.0, 255.0])


def write_clip(path: Path, frames: Tensor) -> ClipFrames:
    with VideoWriter(path, Fraction(25), tags={}, crf=1) as writer:
        for frame in frames:
            writer.write(frame.to(torch.uint8))
    clip = ClipFrames(path, "0", frames.shape[1], keep=5)
    clip.ensure(progress=False)
    return clip


def find_green(frames: Tensor) -> Tensor:
    return frames[..., 1].int() - frames[..., 0] > 60


def moving_person() -> Tensor:
    """Masks, bool (TRAINING, SIZE, SIZE), of a square that moves to the right."""
    masks = torch.zeros(TRAINING, SIZE, SIZE, dtype=torch.bool)
    for number in range(TRAINING):
        masks[number, 24:56, 8 + number // 2 : 40 + number // 2] = True
    return masks


@pytest.fixture
def clip(tmp_path: Path) -> ClipFrames:
    """Training frames with the person before the wall; then held-out frames of nothing but a marker's colour."""
    training = torch.where(moving_person()[..., None], SHIRT, WALL)
    return write_clip(tmp_path / "clip.mp4", torch.cat([training, MARKER.expand(HELD_OUT, SIZE, SIZE, 3)]))


def test_the_wall_is_recovered_where_it_was_seen_and_held_out_frames_never_enter(clip: ClipFrames) -> None:
    plate = BackgroundPlate(clip, "0", torch.arange(TRAINING), find_green).read()
    assert plate.shape == (4, SIZE, SIZE)
    image, confidence = plate[:3].permute(1, 2, 0).float(), plate[3]
    assert (confidence[grow(moving_person(), 1).all(0)] == 0).all()
    often = (~grow(moving_person(), 4)).sum(0) >= 8
    assert (confidence[often] == 255).all()
    assert (image - WALL)[often].abs().max() < 8
    assert (image - WALL).abs().max() < 60  # no hole and no shirt
    assert ((image - MARKER).abs().amax(-1) > 60).all()


def test_with_held_out_frames_the_marker_would_enter(clip: ClipFrames) -> None:
    plate = BackgroundPlate(clip, "0", torch.arange(TRAINING + HELD_OUT), find_green).read()
    hidden = shrink(moving_person(), 4).all(0)
    assert (plate[:3, hidden].float() - MARKER[:, None]).abs().max() < 10


def test_a_plate_is_made_once_and_again_when_it_depends_on_something_else(clip: ClipFrames) -> None:
    calls: list[int] = []

    def counted(frames: Tensor) -> Tensor:
        calls.append(len(frames))
        return find_green(frames)

    first = BackgroundPlate(clip, "0", torch.arange(TRAINING), counted)
    plate = first.read()
    assert torch.equal(BackgroundPlate(clip, "0", torch.arange(TRAINING), counted).read(), plate)
    assert calls == [TRAINING]
    others = [("1", torch.arange(TRAINING)), ("0", torch.arange(TRAINING - 1))]
    names = {BackgroundPlate(clip, *settings, counted).file.path.name for settings in others} | {first.file.path.name}
    assert len(names) == 3
    first.file.path.write_bytes(first.file.path.read_bytes()[:-10])
    assert torch.equal(BackgroundPlate(clip, "0", torch.arange(TRAINING), counted).read(), plate)
    assert calls == [TRAINING, TRAINING]


def test_a_long_clip_is_sampled_evenly(clip: ClipFrames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lit_reenact.datamodules.background_plate.MOST_FRAMES", 3)
    assert BackgroundPlate(clip, "0", torch.arange(2, 21)).numbers.tolist() == [2, 11, 20]


def test_the_person_of_a_photograph_is_left_out(tmp_path: Path) -> None:
    photo = resize_frames(torch.from_numpy(astronaut()[:256, 96:352].copy())[None], 128)
    clip = write_clip(tmp_path / "clip.mp4", photo.float().expand(3, -1, -1, -1))
    plate = BackgroundPlate(clip, "0", torch.arange(3)).read()
    confidence, wall = plate[3], plate[:3, :15, :12]
    assert (confidence[45:70, 55:75] == 0).all()  # the face
    assert (confidence[:15, :12] == 255).all()  # a corner of the background
    assert (wall.permute(1, 2, 0).float() - photo[0, :15, :12]).abs().mean() < 6
