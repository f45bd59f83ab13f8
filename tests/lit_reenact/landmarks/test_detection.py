"""Landmarks against the symmetries that a detector must obey, and against tracks and gaps written by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from lit_reenact.core.schema import Landmarks
from lit_reenact.landmarks import detection
from lit_reenact.landmarks.detection import detect, find_faces
from lit_reenact.landmarks.following import follow
from lit_reenact.landmarks.gaps import fill_gaps
from lit_reenact.video import Frame

IRISES = [468, 473]
"""Centres of the subject's right and left iris."""


@pytest.fixture(scope="module")
def portrait() -> Frame:
    """A photograph of 256 x 256 pixels with a frontal face."""
    return np.ascontiguousarray(astronaut()[:256, 96:352])


def points_of(image: Frame) -> torch.Tensor:
    landmarks = detect([image], total=1, progress=None)
    assert landmarks.found.all()
    return landmarks.points[0]


def test_points_lie_on_the_face(portrait: Frame) -> None:
    points = points_of(portrait)
    assert points.shape == (478, 3)
    right, left = points[IRISES, :2]
    assert left[0] > right[0]  # the subject's left is at the right of the picture
    pupils = [portrait[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4].mean() for x, y in (right, left)]
    cheek = portrait[int(points[50, 1]), int(points[50, 0])].mean()
    assert max(pupils) < cheek - 20


def test_a_turned_picture_gives_turned_points(portrait: Frame) -> None:
    """This holds only if pixel centres lie at half-integers: an error of half a pixel would show in the sum of both axes."""
    points = points_of(portrait)[:, :2]
    turned = points_of(np.ascontiguousarray(np.rot90(portrait)))[:, :2]  # (x, y) moves to (y, 256 - x)
    error = turned - torch.stack([points[:, 1], 256 - points[:, 0]], -1)
    assert error.mean(0).abs().max() < 0.15


@pytest.mark.parametrize("size", [96, 128, 200])
def test_small_pictures_give_the_points_of_large_ones(portrait: Frame, size: int) -> None:
    large = points_of(portrait)
    small = points_of(np.asarray(cv2.resize(portrait, (size, size), interpolation=cv2.INTER_AREA))) * (256 / size)
    eyes = (large[33, :2] - large[263, :2]).norm()
    assert (small - large)[:, :2].mean(0).abs().max() < 0.01 * eyes  # without a shift
    assert (small - large)[:, :2].norm(dim=-1).mean() < 0.02 * eyes


def test_points_follow_the_face(portrait: Frame) -> None:
    shifts = [0, 4, 8, 12, 16]
    frames = [np.roll(portrait, shift, axis=1) for shift in shifts]
    centres = detect(frames, total=len(frames), progress=None).points[..., 0].mean(1)
    np.testing.assert_allclose(centres - centres[0], shifts, atol=0.5)


def test_detectors_relieve_each_other_exactly_and_unnoticed(portrait: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that starts at the lead before a border continues like one that never stopped, without a jump at the border."""
    frames = [np.roll(portrait, round(6 * np.sin(k / 4)), axis=1) for k in range(48)]
    alone = np.concatenate(list(find_faces(frames, max_faces=3)))
    monkeypatch.setattr(detection, "BLOCK", 16)
    relieved = np.concatenate(list(find_faces(frames, max_faces=3)))
    for border in (16, 32):
        first = border - detection.LEAD
        after = np.concatenate(list(find_faces(frames[first:], max_faces=3, first=first)))
        np.testing.assert_array_equal(after, relieved[border:])
    assert (relieved[16:] != alone[16:]).any()
    assert np.abs(relieved - alone)[..., :2].mean((1, 2)).max() < 0.1
    assert np.abs(np.concatenate(list(find_faces(frames[16:], max_faces=3)))[0] - alone[16])[:, :2].mean() > 0.2


def test_frames_without_a_face_are_marked(portrait: Frame) -> None:
    blank = np.full_like(portrait, 90)
    landmarks = detect(iter([portrait, blank, portrait]), total=None, progress=None)
    assert landmarks.found.tolist() == [True, False, True]
    assert landmarks.points[1].isnan().all()
    assert len(detect([], total=0, progress=None)) == 0


def test_two_faces_are_seen_and_the_larger_is_followed(portrait: Frame) -> None:
    small = np.asarray(cv2.resize(portrait, (160, 160), interpolation=cv2.INTER_AREA))
    scene = np.full((256, 416, 3), 90, dtype=np.uint8)
    scene[:160, :160], scene[:, 160:] = small, portrait
    assert {len(faces) for faces in find_faces([scene] * 3, max_faces=3)} == {2}
    landmarks = detect([scene] * 3, total=3, progress=None, max_faces=3)
    torch.testing.assert_close(landmarks.points[2, :, 0].mean(), points_of(portrait)[:, 0].mean() + 160, atol=1.0, rtol=0)


def test_progress_goes_to_stderr_and_mediapipe_is_silent(portrait: Frame, capfd: pytest.CaptureFixture[str]) -> None:
    detect([portrait], total=1, progress="looking")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "looking: 100%" in captured.err
    assert "TensorFlow" not in captured.err
    assert "inference_feedback" not in captured.err


def face(x: float, size: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return a square of 478 points of side ``size`` around (x, 100)."""
    spread = np.random.default_rng(0).uniform(-0.5, 0.5, (478, 3)) * size
    spread[:2] = [[-size / 2, -size / 2, 0], [size / 2, size / 2, 0]]
    return (spread + np.array([x, 100, 0])).astype(np.float32)


def test_follow_keeps_to_one_person() -> None:
    large, small = face(300, 80), face(100, 50)
    frames = [[small], [small, large], [large, small], [small], [large], []]
    landmarks = follow([np.array(faces, dtype=np.float32).reshape(-1, 478, 3) for faces in frames])
    assert landmarks.found.tolist() == [False, True, True, False, True, False]
    assert landmarks.points[landmarks.found][..., 0].amin() > 250


def test_follow_finds_the_person_again_elsewhere() -> None:
    frames = [[face(100, 60)]] * 3 + [[]] * 2 + [[face(300, 60)]] * 2
    landmarks = follow([np.array(faces, dtype=np.float32).reshape(-1, 478, 3) for faces in frames])
    assert landmarks.found.tolist() == [True] * 3 + [False] * 2 + [True] * 2


def test_short_gaps_are_filled_and_long_ones_are_not() -> None:
    found = torch.tensor([0, 1, 0, 0, 1, 0, 0, 0, 1, 0], dtype=torch.bool)
    ramp = torch.arange(10, dtype=torch.float32)[:, None, None].expand(10, 478, 3)
    landmarks = Landmarks(points=torch.where(found[:, None, None], ramp, torch.nan), found=found)
    filled, valid = fill_gaps(landmarks, max_gap=2)
    assert valid.tolist() == [True] * 5 + [False] * 3 + [True] * 2
    expected = torch.tensor([1, 1, 2, 3, 4, torch.nan, torch.nan, torch.nan, 8, 8])
    torch.testing.assert_close(filled.points[:, 7, 1], expected, equal_nan=True)
    assert filled.found.tolist() == found.tolist()


def test_gaps_of_a_video_without_a_face_stay() -> None:
    landmarks = Landmarks(points=torch.full((4, 478, 3), torch.nan), found=torch.zeros(4, dtype=torch.bool))
    filled, valid = fill_gaps(landmarks, max_gap=9)
    assert not valid.any()
    assert filled.points.isnan().all()


def test_gaps_are_not_filled_across_a_cut() -> None:
    """A gap of four frames with a cut in its middle: each half repeats its own neighbour."""
    found = torch.tensor([1, 1, 0, 0, 0, 0, 1, 1], dtype=torch.bool)
    ramp = torch.arange(8, dtype=torch.float32)[:, None, None].expand(8, 478, 3)
    landmarks = Landmarks(points=torch.where(found[:, None, None], ramp, torch.nan), found=found)
    filled, valid = fill_gaps(landmarks, max_gap=2, cuts=(4,))
    assert valid.all()
    assert filled.points[:, 0, 0].tolist() == [0, 1, 1, 1, 6, 6, 6, 7]
    assert not fill_gaps(landmarks, max_gap=2)[1][2:6].any()
