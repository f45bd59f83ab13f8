"""Guard on motion with a known range, and properties that hold for any motion."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.geometry import axis_angle_to_matrix, euler_to_matrix, matrix_to_axis_angle, matrix_to_euler
from lit_reenact.core.schema import FaceParameters, KeyFrames, Track
from lit_reenact.face import load_face_model
from lit_reenact.guard import COMBINATION, KEY_FRAMES, GuardMode, GuardReport, SeenRange, guard
from lit_reenact.guard.ranges import channel_values
from lit_reenact.transfer import REACH, mean_rotation
from tests.factories import make_parameters, make_track

MODEL = load_face_model("builtin")
JAW, SMILE = (MODEL.expression_names.index(name) for name in ("jawOpen", "mouthSmileLeft"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Track:
    return make_track(tmp_path_factory.mktemp("track"), frames=4)


def posed(degrees: Tensor) -> Tensor:
    """Return the axis-angle of yaw, pitch and roll (T, 3) in degrees."""
    return matrix_to_axis_angle(euler_to_matrix(degrees.double().deg2rad())).float()


def still(frames: int) -> FaceParameters:
    return make_parameters(MODEL, 1)[torch.zeros(frames, dtype=torch.int64)].replace(rotation=torch.zeros(frames, 3))


def trained_on(plain: Track, parameters: FaceParameters, fps: int = 25) -> Track:
    """Return a track with these training frames."""
    valid = torch.ones(len(parameters), dtype=torch.bool)
    return replace(
        plain, parameters=parameters, valid=valid, info=replace(plain.info, actor_frames=len(parameters), fps=str(fps))
    )


def turning(plain: Track, frames: int = 401) -> Track:
    """Return a track whose head turns from -10 to 10 degrees while all else stands still."""
    yaw = torch.linspace(-10, 10, frames)
    return trained_on(plain, still(frames).replace(rotation=posed(torch.stack([yaw, 0 * yaw, 0 * yaw], 1))))


def only(report: GuardReport) -> str:
    assert len(report.excesses) == 1, report
    return report.excesses[0].channel


def test_a_head_that_turns_too_far(plain: Track) -> None:
    """0.5 % at either end is rare, and the margin is 2 degrees: the limit is 11.9. Other channels have their margin only."""
    target = turning(plain)
    degrees = torch.zeros(20, 3)
    degrees[5:8] = torch.tensor([30.0, 1.0, -1.5])
    degrees[12] = torch.tensor([-20.0, 0.0, 0.0])
    driven = still(20).replace(rotation=posed(degrees))
    limited, report = guard(driven, target)
    assert limited is driven
    assert only(report) == "yaw"
    excess = report.excesses[0]
    assert (excess.frames, excess.spans, excess.worst_frame, excess.unit) == (4, ((5, 8), (12, 13)), 5, "deg")
    assert (excess.low, excess.high, excess.worst) == pytest.approx((-11.9, 11.9, 30.0), abs=1e-3)
    assert excess.beyond == pytest.approx((3 * 18.1 + 8.1) / 20 / 2, abs=1e-3)

    limited, _ = guard(driven, target, "clamp")
    angles = matrix_to_euler(axis_angle_to_matrix(limited.rotation.double())).rad2deg()
    torch.testing.assert_close(angles[6], torch.tensor([11.9, 1.0, -1.5], dtype=torch.float64), rtol=0, atol=1e-3)
    torch.testing.assert_close(angles[12], torch.tensor([-11.9, 0.0, 0.0], dtype=torch.float64), rtol=0, atol=1e-3)
    inside = (degrees[:, 0] == 0).nonzero()[:, 0]
    assert torch.equal(limited.rotation[inside], driven.rotation[inside])
    for name in ("translation", "expression", "gaze", "illumination", "identity"):
        assert torch.equal(getattr(limited, name), getattr(driven, name)), name

    limited, _ = guard(driven, target, "soft")
    yaw = matrix_to_euler(axis_angle_to_matrix(limited.rotation.double()))[6, 0].rad2deg()
    assert 11.9 + 0.9 * REACH * 23.8 < yaw < 11.9 + REACH * 23.8


def test_turns_count_from_the_mean_pose(plain: Track) -> None:
    """A person who always sits turned by 40 degrees may turn to 51, but not look straight ahead."""
    yaw = 40 + torch.linspace(-10, 10, 401)
    target = trained_on(plain, still(401).replace(rotation=posed(torch.stack([yaw, 0 * yaw, 0 * yaw], 1))))
    driven = still(2).replace(rotation=posed(torch.tensor([[51.0, 0.0, 0.0], [0.0, 0.0, 0.0]])))
    _, report = guard(driven, target)
    assert only(report) == "yaw"
    assert report.excesses[0].spans == ((1, 2),)
    assert report.excesses[0].worst == pytest.approx(-40, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "field", "column", "amount"),
    [
        ("sideways", "translation", 0, 20.0),
        ("down", "translation", 1, -20.0),
        ("depth", "translation", 2, 50.0),
        ("jawOpen", "expression", JAW, 0.9),
        ("left eye pitch", "gaze", 1, 0.4),
        ("right eye yaw", "gaze", 2, -0.4),
        ("brightness", "illumination", slice(0, 3), 0.5),
        ("light from below", "illumination", slice(3, 6), 0.5),
    ],
)
def test_each_channel_is_named_and_limited(plain: Track, name: str, field: str, column: int | slice, amount: float) -> None:
    target, driven = turning(plain), still(6)
    values = getattr(driven, field).clone()
    values[2:4, column] += amount
    driven = driven.replace(**{field: values})
    limited, report = guard(driven, target, "clamp")
    assert name in {excess.channel for excess in report.excesses}
    assert {excess.channel for excess in report.excesses} <= {name, COMBINATION}
    assert not guard(limited, target)[1].excesses
    others = [f for f in ("rotation", "translation", "expression", "gaze", "illumination") if f != field]
    assert all(torch.equal(getattr(limited, f), getattr(driven, f)) for f in others)
    assert torch.equal(getattr(limited, field)[[0, 1, 4, 5]], getattr(driven, field)[[0, 1, 4, 5]])


def test_light_keeps_its_colour(plain: Track) -> None:
    target, driven = turning(plain), still(2)
    light = driven.illumination.clone()
    light[:, :3] += torch.tensor([1.0, 1.5, 2.0])
    limited, _ = guard(driven.replace(illumination=light), target, "clamp")
    torch.testing.assert_close(limited.illumination[:, 1:3] - limited.illumination[:, :1], light[:, 1:3] - light[:, :1])
    assert limited.illumination[0, :3].mean() == pytest.approx(float(driven.illumination[0, :3].mean()) + 0.1, abs=1e-5)


def test_a_single_tracking_error_does_not_widen_the_range(plain: Track) -> None:
    """One frame in a thousand is too rare, but six frames count."""
    parameters = still(1000)
    expression = parameters.expression.clone()
    expression[:, [JAW, SMILE]] = 0
    expression[100, JAW], expression[200:206, SMILE] = 1.0, 1.0
    seen = SeenRange.of(trained_on(plain, parameters.replace(expression=expression)))
    high = {channel.name: float(value) for channel, value in zip(seen.channels, seen.high, strict=True)}
    assert high["jawOpen"] == pytest.approx(0.05)
    assert high["mouthSmileLeft"] == pytest.approx(1.05, abs=0.01)


def test_a_combination_that_was_never_seen_is_reported(plain: Track) -> None:
    """In training a mouth opens and a head turns, but never at once."""
    phase = torch.arange(1000) * 0.02
    yaw, jaw = 12 * phase.sin(), 0.8 * phase.cos().square()
    expression = still(1000).expression.clone()
    expression[:, JAW] = jaw
    rotation = posed(torch.stack([yaw, 0 * yaw, 0 * yaw], 1))
    target = trained_on(plain, still(1000).replace(rotation=rotation, expression=expression))
    driven = target.parameters[40:80]  # about the widest turn, with the mouth shut
    assert not guard(driven, target)[1].excesses
    wide = driven.expression.clone()
    wide[10:, JAW] = 0.75
    _, report = guard(driven.replace(expression=wide), target)
    assert only(report) == COMBINATION
    assert "times as far from training" in report.to_text()
    assert report.excesses[0].spans == ((10, 40),)


def test_only_valid_training_frames_count(plain: Track) -> None:
    target = turning(plain)
    target = replace(target, valid=torch.arange(401) < 300, info=replace(target.info, actor_frames=201))
    seen = SeenRange.of(target)
    assert seen.high[0] - seen.low[0] == pytest.approx(9.9 + 4, abs=0.01)
    with pytest.raises(ReenactError, match=r"no training frame of synthetic\.mp4"):
        guard(still(3), replace(target, valid=torch.zeros(401, dtype=torch.bool)))


def test_a_report_is_readable_by_people_and_programs(plain: Track) -> None:
    degrees = torch.zeros(100, 3)
    for start in (10, 30, 50, 70):
        degrees[start : start + 5, 0] = 20.0
    _, report = guard(still(100).replace(rotation=posed(degrees)), turning(plain), fps=Fraction(10))
    assert report.to_text() == (
        "yaw: 20 of 100 frames (1.0-1.5 s, 3.0-3.5 s, 5.0-5.5 s and 1 more) as far as +20 deg; training showed -12 deg to +12 deg"
    )
    assert json.loads(json.dumps(report.to_dict()))["excesses"][0]["spans"] == [[10, 15], [30, 35], [50, 55], [70, 75]]
    assert guard(still(3), turning(plain))[1].to_text() == ""
    _, report = guard(make_parameters(MODEL, 50), turning(plain))
    assert len(report.excesses) > 7
    assert len(report.to_text().splitlines()) == 7


@pytest.mark.parametrize("frames", [1, 2])
def test_many_frames_far_from_the_key_frames_are_reported_first(plain: Track, frames: int) -> None:
    """The only key frame looks ahead; 99 % of the training frames lie within 9.9 degrees of it."""
    target, numbers = turning(plain), torch.tensor([200])
    key_frames = KeyFrames(numbers, torch.zeros(1, 3, 64, 64, dtype=torch.uint8), target.parameters[numbers])
    degrees = torch.zeros(20, 3)
    degrees[4:8, 0] = torch.tensor([9.8, -9.8, 9.0, -9.0])
    degrees[10 : 10 + frames, 0] = 30.0
    driven = still(20).replace(rotation=posed(degrees))
    limited, report = guard(driven, target, "clamp", key_frames=key_frames)
    assert only(guard(driven, target)[1]) == "yaw"
    assert matrix_to_euler(axis_angle_to_matrix(limited.rotation))[10, 0].rad2deg() < 15
    if frames == 1:  # 5 %: as many as in other parts of the same performance
        assert only(report) == "yaw"
        return
    first, second = report.excesses
    assert (first.channel, first.spans, second.channel) == (KEY_FRAMES, ((10, 12),), "yaw")
    line = report.to_text().splitlines()[0]
    assert line.startswith("key frames: 2 of 20 frames (0.4-0.5 s) farther from all of them than 99 % of the training frames, up")


def test_an_unknown_mode_is_refused(plain: Track) -> None:
    with pytest.raises(ReenactError, match="no guard mode 'hard': choose warn, clamp, soft"):
        guard(still(3), turning(plain), "hard")  # type: ignore[arg-type]


@given(st.integers(0, 100), st.sampled_from(["clamp", "soft"]))
@settings(max_examples=10, deadline=None)
def test_limited_motion_is_within_reach(plain: Track, seed: int, mode: GuardMode) -> None:
    target = trained_on(plain, make_parameters(MODEL, 100, seed=1))
    seen = SeenRange.of(target)
    driven = make_parameters(MODEL, 60, seed)
    driven = driven.replace(rotation=1.5 * driven.rotation, translation=driven.translation + 30, gaze=2 * driven.gaze)
    limited, report = guard(driven, target, mode)
    assert report.excesses
    values, reach = channel_values(limited, seen.mean_pose), (REACH if mode == "soft" else 0) * (seen.high - seen.low) + 1e-3
    assert ((values <= seen.high + reach) & (values >= seen.low - reach)).all()
    before = channel_values(driven, seen.mean_pose)
    inside = (before <= seen.high) & (before >= seen.low)
    torch.testing.assert_close(values[inside], before[inside], rtol=0, atol=1e-3)
    matrices = axis_angle_to_matrix(limited.rotation)
    torch.testing.assert_close(matrices @ matrices.transpose(1, 2), torch.eye(3).expand(60, 3, 3), rtol=0, atol=1e-5)


def test_the_mean_pose_is_that_of_the_training_frames(plain: Track) -> None:
    target = turning(plain)
    torch.testing.assert_close(SeenRange.of(target).mean_pose, mean_rotation(target.parameters.rotation))
