"""Working clips of scenes in which the place of every face is known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.core.schema import CropBox, Landmarks
from lit_reenact.landmarks.detection import detect
from lit_reenact.tracking.crop import choose_crop
from lit_reenact.tracking.working_clip import Prepared, prepare
from lit_reenact.video import Frame, FrameReader, iterate_frames, probe, read_tags
from tests.video_files import click, loudest_time, remux, write_video

PORTRAIT = np.ascontiguousarray(astronaut()[:256, 96:352])


def scene(x: int, y: int = 60, width: int = 640, height: int = 360) -> Frame:
    """Paste the portrait into a grey picture, its corner at (x, y)."""
    picture = np.full((height, width, 3), 90, dtype=np.uint8)
    picture[y : y + 256, x : x + 256] = PORTRAIT
    return picture


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Prepared]:
    """A face that moves by 2 pixels a frame, missing in frames 10-12 and 30-44, and its working clip; with sound."""
    folder = tmp_path_factory.mktemp("prepare")
    frames = [scene(100 + 2 * i) if i not in (10, 11, 12, *range(30, 45)) else scene(0)[:, ::-1] * 0 + 90 for i in range(60)]
    source = write_video(folder / "moving.mp4", frames, sound=click(2, at=1.5))
    return source, prepare(source, folder / "out" / "clip.mp4", size=192, progress=False)


def test_clip_has_the_frames_and_the_sound_of_the_source(moving: tuple[Path, Prepared]) -> None:
    source, prepared = moving
    info = probe(prepared.clip)
    assert (info.width, info.height, info.fps, info.frame_count) == (192, 192, Fraction(30), 60)
    assert loudest_time(prepared.clip) == pytest.approx(1.5, abs=0.005)
    assert prepared.info == probe(source)
    assert prepared.source_sha256 == sha256_of(source)
    assert "no frame was synthesised" in read_tags(prepared.clip)["comment"]


def test_clip_shows_the_crop(moving: tuple[Path, Prepared]) -> None:
    source, prepared = moving
    crop, clip = prepared.crop, FrameReader(prepared.clip)
    for number, frame in enumerate(iterate_frames(source)):
        cut = frame[crop.y : crop.y + crop.side, crop.x : crop.x + crop.side]
        expected = cv2.resize(cut, (192, 192), interpolation=cv2.INTER_AREA).astype(int)
        assert np.abs(clip.read([number])[0].numpy() - expected).mean() < 3


def test_clip_is_exact_at_random_access(moving: tuple[Path, Prepared]) -> None:
    clip = moving[1].clip
    frames = np.stack(list(iterate_frames(clip)))
    order = np.random.default_rng(0).permutation(len(frames))
    np.testing.assert_array_equal(FrameReader(clip).read(order.tolist()).numpy(), frames[order])


def test_frames_without_a_face_are_marked(moving: tuple[Path, Prepared]) -> None:
    _, prepared = moving
    numbers = torch.arange(60)
    absent = ((numbers >= 10) & (numbers <= 12)) | ((numbers >= 30) & (numbers <= 44))
    torch.testing.assert_close(prepared.landmarks.found, ~absent)
    torch.testing.assert_close(prepared.valid, (numbers < 30) | (numbers > 44))  # 0.1 s is interpolated, 0.5 s is not
    torch.testing.assert_close(prepared.landmarks.points[..., 0].isnan().any(1), ~prepared.valid)
    assert any("18 of 60 frames show no face" in warning for warning in prepared.warnings)
    assert any("15 of 60 frames are left out" in warning for warning in prepared.warnings)


def test_landmarks_are_in_pixels_of_the_clip(moving: tuple[Path, Prepared]) -> None:
    """Check the interpolated frames, too: the face moves uniformly."""
    prepared = moving[1]
    centres = prepared.landmarks.points[:30, :468, 0].mean(1)
    speed = 2 * 192 / prepared.crop.side
    np.testing.assert_allclose(centres.diff().numpy(), speed, atol=0.35)
    again = detect(iterate_frames(prepared.clip), total=None, progress=None)
    both = prepared.landmarks.found & again.found
    error = (again.points - prepared.landmarks.points)[both][:, :, :2]
    assert error.norm(dim=-1).mean() < 1
    assert error.mean((0, 1)).abs().max() < 0.3


def test_face_stays_inside(moving: tuple[Path, Prepared]) -> None:
    prepared = moving[1]
    points = prepared.landmarks.points[prepared.valid][..., :2]
    assert points.min() > 0
    assert points.max() < 192


def box(x0: float, y0: float, x1: float, y1: float) -> torch.Tensor:
    """Return 478 landmarks that span a rectangle."""
    corners = torch.tensor([[x0, y0, 0.0], [x1, y1, 0.0]])
    return corners.repeat(239, 1)


@pytest.mark.parametrize(
    ("boxes", "width", "height", "expected"),
    [
        # A still face of height 100 in a large picture: two face heights, the face in the middle.
        ([box(460, 300, 540, 400)] * 3, 1000, 800, CropBox(400, 250, 200)),
        # It moves by 100: the crop holds the whole way and a quarter of a face beside it.
        ([box(460, 300, 540, 400), box(560, 300, 640, 400)], 1000, 800, CropBox(435, 235, 230)),
        # Near the border the crop is moved inside.
        ([box(10, 0, 90, 100)] * 3, 1000, 800, CropBox(0, 0, 200)),
        # A picture that is all portrait: the largest square.
        ([box(150, 100, 350, 400)] * 3, 512, 480, CropBox(10, 0, 480)),
    ],
    ids=["still", "moving", "corner", "portrait"],
)
def test_crop_by_hand(boxes: list[torch.Tensor], width: int, height: int, expected: CropBox) -> None:
    landmarks = Landmarks(points=torch.stack(boxes), found=torch.ones(len(boxes), dtype=torch.bool))
    assert choose_crop(landmarks, width, height, margin=2.0) == expected


def test_frames_in_which_the_face_leaves_the_crop_are_not_valid(tmp_path: Path) -> None:
    frames = [scene(x, width=1000, height=300, y=20) for x in range(0, 740, 20)]
    prepared = prepare(write_video(tmp_path / "wide.mp4", frames), tmp_path / "clip.mp4", size=128, progress=False)
    points = prepared.landmarks.points[prepared.valid][..., :2] / 128
    assert 11 <= prepared.valid.sum() < len(frames)
    assert points.min() >= -0.02
    assert points.max() <= 1.02


def test_largest_of_two_faces_is_followed_with_a_warning(tmp_path: Path) -> None:
    picture = scene(200, width=456)
    picture[60:240, 10:190] = cv2.resize(PORTRAIT, (180, 180), interpolation=cv2.INTER_AREA)
    prepared = prepare(write_video(tmp_path / "two.mp4", [picture] * 15), tmp_path / "clip.mp4", size=128, progress=False)
    assert "2 faces were seen; the largest is followed" in prepared.warnings
    assert prepared.crop.x + prepared.crop.side / 2 > 250


def test_rotated_video_becomes_an_upright_clip(tmp_path: Path) -> None:
    lying = write_video(tmp_path / "lying.mp4", [np.rot90(scene(150), 1)] * 12)
    prepared = prepare(remux(lying, tmp_path / "phone.mp4", rotation=-90), tmp_path / "clip.mp4", size=128, progress=False)
    points = prepared.landmarks.points[5]
    assert points[10, 1] < points[152, 1] - 30  # the forehead is above the chin
    assert (prepared.info.width, prepared.info.height) == (640, 360)


def test_variable_rate_is_a_warning(tmp_path: Path) -> None:
    times = [round(1000 * i / 30) + (200 if i > 10 else 0) for i in range(20)]
    source = write_video(tmp_path / "variable.mkv", [scene(150)] * 20, times, Fraction(1, 1000))
    prepared = prepare(source, tmp_path / "clip.mp4", size=128, progress=False)
    assert any("frame rate varies" in warning for warning in prepared.warnings)
    assert len(prepared.landmarks) == probe(prepared.clip).frame_count == prepared.info.frame_count


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([scene(150)] * 7, "has 7 frames, fewer than a window of 11"),
        ([np.full((360, 640, 3), 90, dtype=np.uint8)] * 15, "no face was found in its 15 frames"),
        ([scene(150)] * 5 + [np.full((360, 640, 3), 90, dtype=np.uint8)] * 15, "a whole face is seen in 5 of its 20 frames"),
    ],
    ids=["short", "no face", "few faces"],
)
def test_unfit_videos_are_refused_and_leave_nothing(frames: list[Frame], message: str, tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", frames)
    with pytest.raises(ReenactError, match=message):
        prepare(source, tmp_path / "out" / "clip.mp4", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["d6", "d9", "d10", "d14"])
def test_real_clips(shared_dir: Path, tmp_path: Path, name: str) -> None:
    prepared = prepare(shared_dir / "videos" / f"{name}.mp4", tmp_path / "clip.mp4", progress=False)
    reader = FrameReader(prepared.clip)
    assert len(reader) == len(prepared.valid) == prepared.info.frame_count
    assert prepared.valid.float().mean() > 0.99
    assert prepared.crop.side == min(prepared.info.width, prepared.info.height)
    some = list(range(5, len(reader), 50))
    sequential = [frame for number, frame in enumerate(iterate_frames(prepared.clip)) if number in some]
    np.testing.assert_array_equal(reader.read(some).numpy(), np.stack(sequential))
