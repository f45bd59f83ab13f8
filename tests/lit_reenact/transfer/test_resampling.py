"""Frame rates, compared with SciPy's spherical interpolation and values by hand, and properties for any two rates."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.face import load_face_model
from lit_reenact.transfer import frames_at_rate, resample, resample_track, resampled_cuts
from tests.factories import make_parameters, make_track

MODEL = load_face_model("builtin")
RATES = st.sampled_from([Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(50), Fraction(60)])


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Track:
    return make_track(tmp_path_factory.mktemp("track"), frames=20)


def counting(frames: int) -> FaceParameters:
    """Return parameters in which every channel but the rotation holds the number of its frame."""
    number = torch.arange(frames, dtype=torch.float32)[:, None]
    sizes = {"rotation": 3, "translation": 3, "identity": 4, "expression": 6, "illumination": 27, "gaze": 4}
    channels = {name: number.expand(-1, size) for name, size in sizes.items()}
    return FaceParameters(**channels).replace(rotation=number * torch.tensor([0.0, 0.1, 0.0]))


def test_five_quarters_of_a_rate_by_hand() -> None:
    result = resample(counting(8), Fraction(24), Fraction(30))
    expected = [0, 0.8, 1.6, 2.4, 3.2, 4, 4.8, 5.6, 6.4, 7]  # nothing comes after frame 7
    torch.testing.assert_close(result.gaze[:, 0], torch.tensor(expected))
    torch.testing.assert_close(result.rotation[:, 1], 0.1 * torch.tensor(expected))
    assert frames_at_rate(8, Fraction(24), Fraction(30)).tolist() == [0, 0, 1, 2, 3, 4, 4, 5, 6, 7]


def test_nothing_is_mixed_over_a_cut() -> None:
    result = resample(counting(6), Fraction(10), Fraction(20), cuts=(3,))
    assert result.gaze[:, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2, 3, 3.5, 4, 4.5, 5, 5]
    assert resampled_cuts((3,), Fraction(10), Fraction(20)) == (6,)
    assert resampled_cuts((3, 4, 9), Fraction(30), Fraction(10)) == (1, 2, 3)


@given(RATES, RATES, st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_rotations_equal_those_of_scipy(before: Fraction, after: Fraction, seed: int) -> None:
    parameters = make_parameters(MODEL, 30, seed)
    result = resample(parameters, before, after)
    times = np.arange(len(result)) * float(before / after)
    within = times <= 29
    expected = Slerp(np.arange(30), Rotation.from_rotvec(parameters.rotation.numpy()))(times[within])
    assert (expected * Rotation.from_rotvec(result.rotation.numpy()[within]).inv()).magnitude().max() < 1e-5


@given(st.integers(1, 50), RATES, RATES)
@settings(max_examples=30, deadline=None)
def test_any_two_rates_keep_time_and_bounds(frames: int, before: Fraction, after: Fraction) -> None:
    parameters = counting(frames)
    result = resample(parameters, before, after)
    assert abs(len(result) / after - frames / before) <= max(Fraction(1, 2) / after, 1 / after - frames / before)
    assert (result is parameters) == (before == after)
    expected = (torch.arange(len(result)) * float(before / after)).clamp_max(frames - 1)
    torch.testing.assert_close(result.gaze[:, 0], expected, rtol=0, atol=1e-4)
    assert len(frames_at_rate(frames, before, after)) == len(result)


def test_frames_at_the_same_time_are_equal_bit_for_bit() -> None:
    parameters = make_parameters(MODEL, 12)
    result = resample(parameters, Fraction(30), Fraction(60))
    for f in fields(result):
        assert torch.equal(getattr(result, f.name)[::2], getattr(parameters, f.name)), f.name


def test_a_whole_track_at_another_rate(track: Track) -> None:
    valid = torch.arange(20) != 7
    track = replace(track, valid=valid, error=torch.arange(20.0), info=replace(track.info, cuts=(8, 19), actor_frames=10))
    result = resample_track(track, Fraction(10))
    assert (len(result), result.info.fps, result.info.cuts, result.info.actor_frames) == (40, "10", (16, 38), 20)
    assert result.valid.logical_not().nonzero()[:, 0].tolist() == [14, 15]
    assert result.error[:5].tolist() == [0, 0, 1, 1, 2]
    assert len(result.landmarks) == len(result.corrective) == len(result.photometric_error) == 40
    assert torch.equal(result.parameters.gaze[::2], track.parameters.gaze)
    assert torch.equal(result.parameters.gaze[15], track.parameters.gaze[7])  # repeated before the cut
    assert resample_track(track, Fraction(5)) is track
    assert resample_track(track, Fraction(1)).info.cuts == (2,)  # the other cut lies beyond the end
