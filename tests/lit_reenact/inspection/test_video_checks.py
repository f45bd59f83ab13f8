"""Each warning from a clip or a scan with this one fault, and none from a good one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from lit_reenact.core.schema import Landmarks
from lit_reenact.inspection.background import moving_background
from lit_reenact.inspection.video_checks import check_scan, examine_video
from lit_reenact.inspection.video_scan import VideoScan, face_sharpness, scan_video
from lit_reenact.landmarks.detection import detect
from lit_reenact.landmarks.occlusion import find_covered_mouths, lip_colour
from lit_reenact.video import Frame, VideoInfo
from tests.video_files import write_video

PORTRAIT = np.ascontiguousarray(astronaut()[:256, 96:352])
WIDTH, HEIGHT, N = 640, 480, 40


@pytest.fixture(scope="module")
def face() -> torch.Tensor:
    """Landmarks (478, 3) of a photograph."""
    return detect([PORTRAIT], total=1, progress=None).points[0]


@pytest.fixture(scope="module")
def good(face: torch.Tensor) -> VideoScan:
    """Two minutes of a head that turns by 16 degrees and talks, in front of a still, textured wall."""
    wall = np.random.default_rng(0).integers(40, 220, (12, 16), dtype=np.uint8)
    wall = np.asarray(cv2.resize(wall, (256, 192), interpolation=cv2.INTER_CUBIC))
    thumbnails = np.repeat(np.random.default_rng(1).integers(0, 255, (1, 32, 32), dtype=np.uint8), 30 * N, axis=0)
    return VideoScan(
        info=VideoInfo(Path("good.mp4"), WIDTH, HEIGHT, Fraction(25), 30 * N, 120.0, has_audio=True),
        bits=8,
        numbers=torch.arange(0, 30 * N, 30),
        thumbnails=thumbnails,
        steps=np.full(30 * N - 1, 1.5),
        backgrounds=np.repeat(wall[None], N, axis=0),
        landmarks=Landmarks(turning(face), torch.ones(N, dtype=torch.bool)),
        most_faces=1,
        sharpness=torch.linspace(0.1, 0.14, N),
        lips=torch.tensor([8.0, 1.0]).expand(N, 2),
    )


def turning(face: torch.Tensor, degrees: float = 8.0, opening: float = 20.0) -> torch.Tensor:
    """The face 200 pixels high in the middle of the picture, turned to both sides and its lower lip lowered in waves."""
    centred = face - face.mean(0)
    centred = centred * 200 / (centred[:, 1].max() - centred[:, 1].min())
    frames = []
    for k in range(N):
        angle = torch.deg2rad(torch.tensor(degrees * np.sin(k / 3)))
        turned = centred.clone()
        turned[:, 0] = centred[:, 0] * angle.cos() + centred[:, 2] * angle.sin()
        turned[:, 2] = centred[:, 2] * angle.cos() - centred[:, 0] * angle.sin()
        turned[14, 1] += opening * (1 + np.sin(k / 2)) / 2
        frames.append(turned + torch.tensor([WIDTH / 2, HEIGHT / 2, 0.0]))
    return torch.stack(frames)


def hints(scan: VideoScan) -> list[str]:
    return [finding.text for finding in check_scan(scan) if finding.level != "ok"]


def only_hint(scan: VideoScan) -> str:
    (hint,) = hints(scan)
    return hint


def test_a_good_video_gets_no_warning(good: VideoScan) -> None:
    assert hints(good) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"duration": 20.0, "frame_count": 500}, "short: 60 s"),
        ({"fps": Fraction(12)}, "12 frames per second are few"),
        ({"variable_rate": True}, "the frame rate varies"),
        ({"hdr": "PQ"}, "HDR colours (PQ, 8 bits)"),
    ],
)
def test_what_the_file_says(good: VideoScan, change: dict[str, object], words: str) -> None:
    assert words in only_hint(replace(good, info=replace(good.info, **change)))


def test_ten_bits(good: VideoScan) -> None:
    assert "10 bits a colour" in only_hint(replace(good, bits=10))


def test_a_cut(good: VideoScan) -> None:
    other = good.thumbnails.copy()
    other[600:] = np.random.default_rng(2).integers(0, 255, (1, 32, 32), dtype=np.uint8)
    assert "1 cut (at 60.0 s)" in only_hint(replace(good, thumbnails=other))


def test_repeated_frames(good: VideoScan) -> None:
    steps = good.steps.copy()
    steps[::5] = 0.1
    assert "20 % of the frames repeat" in only_hint(replace(good, steps=steps))


def test_a_face_that_is_away_small_or_not_alone(good: VideoScan) -> None:
    points, found = good.landmarks.points.clone(), good.landmarks.found.clone()
    points[::4], found[::4] = torch.nan, False
    assert "a face in 75 % of 40 frames" in only_hint(replace(good, landmarks=Landmarks(points, found)))
    assert (
        "40 pixels high"
        in check_scan(replace(good, landmarks=Landmarks(good.landmarks.points / 5, good.landmarks.found)))[0].text
    )
    assert "the face is small" in hints(replace(good, landmarks=Landmarks(good.landmarks.points / 5, good.landmarks.found)))[0]
    assert "2 faces were seen" in only_hint(replace(good, most_faces=2))
    none = Landmarks(torch.full_like(points, torch.nan), torch.zeros_like(found))
    assert [finding.level for finding in check_scan(replace(good, landmarks=none))] == ["problem"]


def test_a_head_that_keeps_still_and_a_mouth_that_keeps_shut(good: VideoScan, face: torch.Tensor) -> None:
    still = Landmarks(turning(face, degrees=1.0), good.landmarks.found)
    assert "the head turns by 2°" in only_hint(replace(good, landmarks=still))
    silent = Landmarks(turning(face, opening=0.0), good.landmarks.found)
    assert "the mouth changes" in only_hint(replace(good, landmarks=silent))


def test_blur(good: VideoScan) -> None:
    some = good.sharpness.clone()
    some[::5] = 0.03
    assert "blurred in 20 % of the frames" in only_hint(replace(good, sharpness=some))
    assert "soft throughout" in only_hint(replace(good, sharpness=good.sharpness / 10))


def test_a_covered_mouth(good: VideoScan) -> None:
    lips = good.lips.clone()
    lips[:8] = torch.tensor([0.5, 0.5])
    assert "the mouth seems covered in 20 %" in only_hint(replace(good, lips=lips))


def test_a_moving_camera(good: VideoScan) -> None:
    shifts = 4 * np.sin(np.arange(N))
    moved = [np.roll(picture, round(shift), axis=1) for picture, shift in zip(good.backgrounds, shifts, strict=True)]
    assert "the background shifts" in only_hint(replace(good, backgrounds=np.stack(moved)))


def test_light_that_flickers_and_a_head_that_moves_are_no_moving_camera(good: VideoScan) -> None:
    faces = good.landmarks.points[..., :2] * (256 / WIDTH)
    light = np.random.default_rng(0).uniform(0.7, 1.0, (N, 1, 1))
    pictures = (good.backgrounds * light).astype(np.uint8)
    for k in range(N):
        cv2.circle(pictures[k], (128 + round(8 * np.sin(k)), 96), 45, 200, -1)
    assert moving_background(pictures, faces) == 0
    assert moving_background(np.full_like(pictures, 128), faces) is None


def test_sharpness_falls_with_blur_and_not_with_size_or_light(face: torch.Tensor) -> None:
    sharp = face_sharpness(PORTRAIT, face)
    assert face_sharpness(np.asarray(cv2.GaussianBlur(PORTRAIT, (0, 0), 2)), face) < 0.3 * sharp
    assert face_sharpness(np.asarray(cv2.blur(PORTRAIT, (9, 1))), face) < 0.5 * sharp
    assert face_sharpness((PORTRAIT * 0.5).astype(np.uint8), face) == pytest.approx(sharp, rel=0.1)
    large = np.asarray(cv2.resize(PORTRAIT, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC))
    assert face_sharpness(large, face * 3) == pytest.approx(sharp, rel=0.3)


def over_the_mouth(picture: Frame, points: torch.Tensor, colour: tuple[int, int, int] | None = None) -> Frame:
    """A block over the mouth in a colour, or in that of the cheek."""
    covered = picture.copy()
    x, y = points[205, :2].int().tolist()
    eyes = float((points[33] - points[263]).norm())
    middle = points[[13, 14], :2].mean(0)
    (left, top), (right, bottom) = (
        (middle + eyes * torch.tensor(reach)).int().tolist() for reach in ((-0.55, -0.3), (0.55, 0.75))
    )
    covered[top:bottom, left:right] = picture[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(0) if colour is None else colour
    return covered


def test_lips_are_told_from_what_covers_them(face: torch.Tensor) -> None:
    free = [lip_colour(PORTRAIT, face)] * 20
    for colour in (None, (20, 20, 20), (150, 150, 150)):
        covered = [lip_colour(over_the_mouth(PORTRAIT, face, colour), face)] * 6
        single = [*free[:3], covered[0], *free[:3]]
        expected = torch.tensor([False] * 27 + [True] * 6 + [False] * 20)
        assert torch.equal(find_covered_mouths(torch.stack([*single, *free, *covered, *free]), shortest=3), expected)
    grey = np.repeat(PORTRAIT.mean(-1, keepdims=True).astype(np.uint8), 3, axis=-1)
    assert not find_covered_mouths(torch.stack([lip_colour(grey, face)] * 9), shortest=3).any()
    assert not find_covered_mouths(torch.full((5, 2), torch.nan), shortest=3).any()


def test_a_clip_from_a_file(tmp_path: Path) -> None:
    """A portrait that jumps to another place in front of a moving background, every frame twice."""
    wall = np.asarray(cv2.resize(np.random.default_rng(0).integers(40, 220, (18, 24, 3), dtype=np.uint8), (720, 540)))
    frames = []
    for k in range(30):
        picture = wall[20 + k : 500 + k, 20 + 2 * k : 660 + 2 * k].copy()
        x = 100 if k < 15 else 260
        picture[150:406, x : x + 256] = PORTRAIT
        frames += [picture] * 2
    path = write_video(tmp_path / "clip.mp4", frames)
    scan = scan_video(path, progress=False)
    assert scan.thumbnails.shape == (60, 32, 32)
    assert scan.landmarks.found.all()
    assert float((scan.steps < 0.25).mean()) == pytest.approx(0.5, abs=0.05)
    texts = " | ".join(finding.text for finding in examine_video(path, progress=False))
    for words in (
        "60 frames, 640x480, 30.00 frames/s",
        "short",
        "repeat the one before",
        "background shifts",
        "the face is small",
    ):
        assert words in texts


@pytest.mark.slow
@pytest.mark.parametrize("name", ["d6", "d9", "d10", "d14"])
def test_real_clips_are_usable(shared_dir: Path, name: str) -> None:
    """They are short, and two of them repeat frames; nothing else."""
    report = examine_video(shared_dir / "videos" / f"{name}.mp4", progress=False)
    expected = ["as a target it is short"] + ["% of the frames repeat"] * (name in ("d6", "d10"))
    hinted = [finding.text for finding in report if finding.level != "ok"]
    assert len(hinted) == len(expected)
    assert all(words in text for words, text in zip(expected, hinted, strict=True))
