"""Distances between two motions, compared with SciPy and values by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import find_peaks
from scipy.spatial.transform import Rotation
from torch import Tensor

from lit_reenact.metrics.blinks import blink_events, blink_f1, find_blinks
from lit_reenact.metrics.motion import expression_distance, gaze_error, landmark_distance, pose_distance

FPS = 30.0


def test_pose_distance_is_the_angle_of_the_relative_rotation() -> None:
    first, second = Rotation.random(50, random_state=0), Rotation.random(50, random_state=1)
    expected = np.degrees((first.inv() * second).magnitude())
    angle = pose_distance(*(torch.from_numpy(rotation.as_rotvec()) for rotation in (first, second)))
    assert angle.numpy() == pytest.approx(expected, abs=1e-4)


def test_a_small_angle_keeps_its_digits() -> None:
    driving = torch.tensor([[0.3, -0.2, 0.1]])
    assert pose_distance(driving, driving).item() == 0
    turned = driving * (1 + 1e-3 / driving.norm())  # about the same axis
    assert pose_distance(driving, turned).item() == pytest.approx(np.degrees(1e-3), rel=1e-2)


def test_expression_distance_by_hand() -> None:
    assert expression_distance(torch.zeros(1, 3), torch.tensor([[0.2, 0.3, 0.6]])).item() == pytest.approx(0.7)


def test_landmark_distance_is_in_percent_of_the_outer_eye_distance_without_the_irises() -> None:
    driving = torch.zeros(1, 478, 3)
    driving[0, 33], driving[0, 263] = torch.tensor([-30.0, 0.0, 0.0]), torch.tensor([30.0, 0.0, 80.0])  # 100 apart
    output = driving + torch.tensor([3.0, 4.0, 50.0])
    output[:, 468:] += 1000
    assert landmark_distance(driving, output).item() == pytest.approx(5)


def test_gaze_error_by_hand() -> None:
    """One eye is 10 degrees higher; the other turns 60 degrees in yaw at 60 of pitch, where meridians lie close."""
    driving, output = torch.zeros(1, 4), torch.zeros(1, 4)
    output[0, 1] = 10
    driving[0, 3], output[0, 2], output[0, 3] = 60, 60, 60
    other = np.degrees(np.arccos(np.sin(np.pi / 3) ** 2 + np.cos(np.pi / 3) ** 2 * np.cos(np.pi / 3)))
    assert gaze_error(driving.deg2rad(), output.deg2rad()).item() == pytest.approx((10 + other) / 2, abs=1e-4)


def eyes(*blinks: int, frames: int = 300) -> Tensor:
    """Return the opening of eyes that twitch a little and blink at some frames, three frames to either side."""
    opening = 0.3 + 0.02 * torch.sin(torch.arange(frames) / 5.0)
    for blink in blinks:
        depth = (1 - (torch.arange(frames) - blink).abs() / 4).clamp_min(0)
        opening = torch.minimum(opening, 0.3 - 0.27 * depth)
    return opening


def test_blinks_equal_the_dips_that_scipy_finds() -> None:
    opening = eyes(20, 100, 115, 280)
    expected, _ = find_peaks(-opening.numpy(), prominence=0.15)
    assert find_blinks(opening, FPS).tolist() == expected.tolist() == [20, 100, 115, 280]


def test_eyes_that_stay_closed_or_are_hidden_do_not_blink() -> None:
    opening = eyes(20)
    opening[100:130] = 0.02
    opening[200:210] = torch.nan
    assert find_blinks(opening, FPS).tolist() == [20]
    assert find_blinks(torch.full((10,), torch.nan), FPS).tolist() == []


def test_blinks_match_once_within_the_tolerance() -> None:
    events = blink_events(eyes(20, 100, 200, 250), eyes(23, 104, 199, 280), FPS)
    assert events.sum(0).tolist() == [4, 4, 2]  # 20 with 23, 200 with 199; 100 and 104 are 0.13 s apart
    assert events[:, 2].nonzero()[:, 0].tolist() == [20, 200]
    assert events[:, 1].nonzero()[:, 0].tolist() == [20, 104, 200, 280]
    assert blink_f1(events.mean(0)).item() == pytest.approx(0.5)


def test_one_blink_matches_at_most_one_other() -> None:
    events = torch.zeros(1, 3)
    assert blink_f1(events.sum(0)).isnan()
    two = blink_events(eyes(100, 110), eyes(105), fps=60.0)  # within reach of both
    assert two.sum(0).tolist() == [2, 1, 1]
