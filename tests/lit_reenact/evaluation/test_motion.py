from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.geometry import euler_to_matrix, matrix_to_axis_angle
from lit_reenact.core.schema import Actor, Camera, CropBox, FaceParameters, Landmarks, Track, TrackInfo
from lit_reenact.evaluation.motion import (
    EYES,
    MotionCurves,
    eye_opening,
    motion_curves,
    motion_fidelity,
    pick_varied_frames,
    retrack,
)

FRAMES = 120


def some_motion(seed: int = 0) -> MotionCurves:
    random = torch.Generator().manual_seed(seed)
    return MotionCurves(*torch.randn(7, FRAMES, generator=random))


def a_track(rotation: Tensor, gaze: Tensor, points: Tensor) -> Track:
    frames = len(rotation)
    parameters = FaceParameters(rotation, torch.zeros(frames, 3), *(torch.zeros(frames, size) for size in (1, 1, 27)), gaze)
    actor = Actor(
        torch.zeros(1, 3), torch.zeros(1), torch.zeros(3, 1, 1), torch.zeros(2, 3), torch.zeros(4), torch.zeros(0, 468, 3)
    )
    info = TrackInfo("a.mp4", "", "", "30", CropBox(0, 0, 64), "builtin", "", frames, {})
    detected = points.isfinite().all(-1).all(-1)
    error, corrective = torch.zeros(frames), torch.zeros(frames, 0)
    levels, landmarks = torch.zeros(frames, 2), Landmarks(points, detected)
    return Track(parameters, actor, Camera(300, 64, 64), detected, error, corrective, error, levels, landmarks, info)


def test_a_known_slope_is_measured_whatever_the_offset() -> None:
    driving = some_motion()
    output = replace(driving, yaw=0.8 * driving.yaw + 11, mouth_opening=1.3 * driving.mouth_opening - 2, roll=-driving.roll)
    result = motion_fidelity(output, driving)
    assert result["yaw_r"] == pytest.approx(1)
    assert result["yaw_slope"] == pytest.approx(0.8)
    assert result["mouth_opening_slope"] == pytest.approx(1.3)
    assert result["roll_r"] == pytest.approx(-1)


def test_agrees_with_numpy_on_noisy_motion() -> None:
    driving, output = some_motion(1), some_motion(2)
    output = replace(output, yaw=output.yaw + driving.yaw)
    result = motion_fidelity(output, driving)
    assert result["yaw_r"] == pytest.approx(np.corrcoef(driving.yaw, output.yaw)[0, 1], abs=1e-5)
    assert result["yaw_slope"] == pytest.approx(np.polyfit(driving.yaw, output.yaw, 1)[0], abs=1e-5)


def test_frames_without_a_face_are_left_out_and_counted() -> None:
    driving = some_motion()
    hole = torch.arange(FRAMES) < 30
    output = replace(driving, **{name: getattr(driving, name).masked_fill(hole, math.nan) for name in vars(driving)})
    result = motion_fidelity(output, driving)
    assert result["faces_found"] == pytest.approx(0.75)
    assert result["yaw_r"] == pytest.approx(1)


def test_a_motion_that_never_was_has_no_correlation() -> None:
    driving = replace(some_motion(), yaw=torch.zeros(FRAMES))
    result = motion_fidelity(some_motion(1), driving)
    assert result["yaw_r"] is None
    assert result["yaw_slope"] is None


def test_videos_of_different_lengths_are_refused() -> None:
    driving = some_motion()
    shorter = MotionCurves(*(series[:-1] for series in vars(driving).values()))
    with pytest.raises(ReenactError, match="119 frames"):
        motion_fidelity(shorter, driving)


def test_a_track_is_read_in_degrees_with_gaps_where_no_face_was() -> None:
    angles = torch.tensor([[20.0, -10.0, 5.0], [0.0, 0.0, 0.0]])
    points = torch.rand(2, 478, 3)
    points[1] = math.nan
    gaze = torch.tensor([[10.0, 4.0, 20.0, 6.0]]).deg2rad().repeat(2, 1)
    motion = motion_curves(a_track(matrix_to_axis_angle(euler_to_matrix(angles.deg2rad())), gaze, points))
    assert [float(series[0]) for series in (motion.yaw, motion.pitch, motion.roll)] == pytest.approx([20, -10, 5], abs=1e-3)
    assert float(motion.gaze_yaw[0]) == pytest.approx(15, abs=1e-3)
    assert float(motion.gaze_pitch[0]) == pytest.approx(5, abs=1e-3)
    assert motion.detected.tolist() == [True, False]
    assert all(series[1].isnan() for series in vars(motion).values())


def test_eye_opening_by_hand() -> None:
    points = torch.zeros(1, 478, 3)
    for (upper, lower, outer, inner), gap in zip(EYES, (3.0, 5.0), strict=True):
        points[0, upper, 1], points[0, lower, 1] = gap, 0.0
        points[0, outer, 0], points[0, inner, 0] = 0.0, 10.0
    assert float(eye_opening(points)) == pytest.approx(0.4)


def test_varied_frames_hold_the_extremes_in_order_of_time() -> None:
    still = {name: torch.zeros(FRAMES) + 0.01 * torch.randn(FRAMES) for name in vars(some_motion())}
    still["yaw"][17], still["mouth_opening"][90], still["pitch"][40] = 30.0, 25.0, -28.0
    chosen = pick_varied_frames(MotionCurves(**still), 4)
    assert chosen == sorted(chosen)
    assert {17, 40, 90} < set(chosen)


@pytest.mark.slow
def test_a_real_clip_tracked_twice_follows_itself(shared_dir: Path, tmp_path: Path) -> None:
    from fractions import Fraction
    from itertools import islice

    from lit_reenact.video import VideoWriter, iterate_frames

    clip = tmp_path / "clip.mp4"
    frames = list(islice(iterate_frames(shared_dir / "videos" / "d9.mp4"), 60))
    side = min(frames[0].shape[:2])
    with VideoWriter(clip, Fraction(30), tags={"title": "test"}) as writer:
        for frame in frames:
            writer.write(frame[:side, :side])
    motion = motion_curves(retrack(clip, progress=False))
    assert len(motion) == 60
    assert motion.detected.all()
    assert float(motion.yaw.abs().max()) < 60
