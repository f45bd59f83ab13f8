"""The motion of generated frames against that of the real ones."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut

from lit_reenact.core.schema import Actor, Camera, CropBox, FaceParameters, Landmarks, Track, TrackInfo
from lit_reenact.evaluation.fidelity import compare_motion, measure_motion
from lit_reenact.evaluation.intervals import estimate
from lit_reenact.face import load_face_model

COUNT = 40


def a_track() -> Track:
    """Random motion, twice: the second time with all of it turned by 3 degrees, jaws half as far open, landmarks moved, and no
    face in one frame.
    """
    generator = torch.Generator().manual_seed(0)
    names = load_face_model("builtin").expression_names
    expression = torch.rand(COUNT, len(names), generator=generator)
    halved = expression.clone()
    halved[:, names.index("jawOpen")] *= 0.5
    turn = torch.zeros(COUNT, 3)
    turn[:, 1] = torch.linspace(-0.3, 0.3, COUNT)
    turned = turn + torch.tensor([0.0, math.radians(3), 0.0])
    points = torch.rand(1, 478, 3, generator=generator).repeat(COUNT, 1, 1) * 100
    moved = points + torch.tensor([3.0, 4.0, 0.0])
    moved[7] = math.nan
    gaze = torch.zeros(2 * COUNT, 4)
    gaze[COUNT:, 0] = math.radians(4)
    frames = 2 * COUNT
    parameters = FaceParameters(
        rotation=torch.cat([turn, turned]),
        translation=torch.zeros(frames, 3),
        identity=torch.zeros(frames, 1),
        expression=torch.cat([expression, halved]),
        illumination=torch.zeros(frames, 27),
        gaze=gaze,
    )
    landmarks = torch.cat([points, moved])
    detected = landmarks.isfinite().all(-1).all(-1)
    nothing = torch.zeros(1, 3)
    actor = Actor(nothing, torch.zeros(1), torch.zeros(3, 1, 1), torch.zeros(2, 3), torch.zeros(4), torch.zeros(0, 468, 3))
    error = torch.zeros(frames)
    info = TrackInfo("a.mp4", "", "", "30", CropBox(0, 0, 64), "builtin", "", frames, {})
    return Track(
        parameters,
        actor,
        Camera(300, 64, 64),
        detected,
        error,
        torch.zeros(frames, 0),
        error,
        torch.zeros(frames, 2),
        Landmarks(landmarks, detected),
        info,
    )


def test_known_differences_are_measured() -> None:
    track = a_track()
    values = compare_motion(track, COUNT)
    means = {name: estimate(name, series, 30.0).value for name, series in values.items()}
    assert means["pose_distance"] == pytest.approx(3, abs=1e-3)
    assert means["gaze_error"] == pytest.approx(2, abs=1e-3)
    seen = torch.arange(COUNT) != 7
    jaw = load_face_model("builtin").expression_names.index("jawOpen")
    assert means["expression_distance"] == pytest.approx(float(track.parameters.expression[:COUNT, jaw][seen].mean() / 2))
    eyes = float((track.landmarks.points[0, 33] - track.landmarks.points[0, 263]).norm())
    assert means["landmark_distance"] == pytest.approx(100 * 5 / eyes, rel=1e-5)
    assert means["jaw_r"] == pytest.approx(1)
    assert means["face_found"] == pytest.approx((COUNT - 1) / COUNT)
    assert math.isnan(means["blink_f1"])  # nobody blinks
    assert values["pose_distance"].isnan().nonzero()[:, 0].tolist() == [7]


def test_a_face_that_was_not_really_seen_is_left_out() -> None:
    track = a_track()
    detected = track.landmarks.found.clone()
    detected[3] = False  # in a driving frame, whose landmarks are interpolated
    values = compare_motion(replace(track, landmarks=replace(track.landmarks, found=detected)), COUNT)
    assert values["landmark_distance"].isnan().nonzero()[:, 0].tolist() == [3, 7]
    assert float(values["face_found"].mean()) == pytest.approx((COUNT - 1) / COUNT)


@pytest.mark.slow
def test_equal_motion_has_a_small_distance_and_other_motion_a_large_one() -> None:
    """A photograph that sways in the picture plane; halfway through, the other one begins to sway the other way."""
    photograph = Image.fromarray(astronaut()[:320, 60:380])
    angles = 8 * np.sin(np.arange(24) * np.pi / 12)
    real, generated = (
        torch.stack([torch.from_numpy(np.array(photograph.rotate(a, Image.Resampling.BICUBIC).resize((128, 128)))) for a in sway])
        for sway in (angles, np.abs(angles))
    )
    distance = measure_motion(generated, real, Fraction(30), progress=False)["pose_distance"].numpy()
    assert distance[:12].mean() < 0.5
    assert distance[12:].mean() == pytest.approx(2 * np.abs(angles[12:]).mean(), rel=0.15)
