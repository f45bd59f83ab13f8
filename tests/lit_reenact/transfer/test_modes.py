"""Modes of each channel, compared with values by hand and SciPy's rotations, and properties for any motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch import Tensor

from lit_reenact.core.geometry import (
    axis_angle_to_matrix,
    euler_to_matrix,
    gaze_direction,
    head_to_camera,
    matrix_to_axis_angle,
)
from lit_reenact.face import load_face_model
from lit_reenact.transfer.channels import (
    TRACKED_LOOK,
    amplify,
    amplify_rotation,
    follow,
    follow_rotation,
    look_into_camera,
    match_expression,
    play,
    smooth,
    smooth_rotation,
)
from tests.factories import make_actor

NOWHERE = torch.zeros(0)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


@given(st.integers(1, 40), st.integers(1, 200))
def test_a_clip_is_played_forward_and_back_without_a_jump(length: int, frames: int) -> None:
    numbers = play(length, frames)
    assert numbers[:length].tolist() == list(range(min(length, frames)))
    assert (numbers >= 0).all()
    assert (numbers < length).all()
    assert (numbers.diff().abs() == (length > 1)).all()


def test_modes_of_channels_that_can_be_added() -> None:
    driving, played, seen = column(1, 2, 3), column(7, 8, 9), column(10, 14)
    rest = (torch.tensor([2.0]), torch.tensor([5.0]))
    result = {
        mode: follow(mode, driving, played, seen, rest)[:, 0].tolist()
        for mode in ("target", "typical", "source", "reference", "relative")
    }
    assert result == {
        "target": [7, 8, 9],
        "typical": [12, 12, 12],
        "source": [1, 2, 3],
        "reference": [4, 5, 6],
        "relative": [11, 12, 13],
    }


@given(st.integers(0, 1000), st.floats(0.55, 1.9))
@settings(max_examples=20, deadline=None)
def test_matched_motion_has_the_mean_and_the_spread_of_the_target(seed: int, factor: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    driving = 3 + torch.randn(50, 4, dtype=torch.float64, generator=generator)
    seen = -2 + factor * (driving - driving.mean(0))[torch.randperm(50, generator=generator)]
    result = follow("matched", driving, driving, seen, (NOWHERE, NOWHERE))
    torch.testing.assert_close(result.mean(0), seen.mean(0))
    torch.testing.assert_close(result.std(0), seen.std(0))


def test_stillness_is_not_scaled_up_to_motion() -> None:
    seen, driving = column(-100, 100), column(-1, 1)
    assert follow("matched", driving, driving, seen, (NOWHERE, NOWHERE))[:, 0].tolist() == [-2, 2]
    assert follow("matched", 0 * driving, driving, seen, (NOWHERE, NOWHERE))[:, 0].tolist() == [0, 0]


def test_rotations_from_a_reference_frame_equal_those_of_scipy() -> None:
    generator = np.random.default_rng(0)
    driving = Rotation.from_rotvec(generator.normal(scale=0.4, size=(6, 3)))
    reference = Rotation.from_rotvec([0.1, -0.3, 0.2])
    onto = Rotation.from_rotvec([-0.2, 0.1, 0.0])
    rest = (torch.from_numpy(reference.as_rotvec()), torch.from_numpy(onto.as_rotvec()))
    source = torch.from_numpy(driving.as_rotvec())
    result = follow_rotation("reference", source, source, source, rest)
    expected = (driving * reference.inv() * onto).as_rotvec()
    torch.testing.assert_close(result, torch.from_numpy(expected), rtol=0, atol=1e-12)


def yaw(*angles: float) -> Tensor:
    return torch.from_numpy(np.radians(angles))[:, None] * torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)


def test_matched_turns_are_as_wide_as_those_of_the_target() -> None:
    """Yaw of +-5 degrees about 20 becomes yaw of +-8 about -10."""
    driving, seen = yaw(15, 25, 15, 25), yaw(-18, -2)
    result = follow_rotation("matched", driving, driving, seen, (NOWHERE, NOWHERE))
    torch.testing.assert_close(result, yaw(-18, -2, -18, -2), rtol=0, atol=1e-9)


def test_matched_expressions_by_hand() -> None:
    """The jaw has root mean square 0.2 against 0.3, and closing lips take its factor; a smile seven times as large is doubled;
    a jaw pulled to the left by 0.1 +- 0.1 becomes one of -0.2 +- 0.05.
    """
    names = ("jawLeft-jawRight", "jawOpen", "mouthClose", "mouthSmileLeft")
    signed = torch.tensor([True, False, False, False])
    driving = torch.cat([column(0, 0.2), column(0.2, 0.2), column(0.1, 0), column(0, 0.1)], 1)
    seen = torch.cat([column(-0.25, -0.15), column(0.3, 0.3), column(0, 0), column(0, 0.7)], 1)
    expected = torch.cat([column(-0.25, -0.15), column(0.3, 0.3), column(0.15, 0), column(0, 0.2)], 1)
    torch.testing.assert_close(match_expression(driving, seen, names, signed), expected)


def test_a_closed_mouth_stays_closed_when_matched() -> None:
    """Expressions of an open jaw with closed lips are matched to a person who shouts, on the built-in face."""
    model = load_face_model("builtin")
    names = ("jawOpen", "mouthClose", "mouthFunnel")
    own = [model.expression_names.index(name) for name in names]
    generator = torch.Generator().manual_seed(0)
    jaw = 0.05 + 0.4 * torch.rand(40, 1, generator=generator)
    driving = torch.cat([jaw, jaw, 0 * jaw], 1)
    driving[::2, 1] = 0
    seen = torch.tensor([0.5, 0.02, 0.4]) + 0.1 * torch.rand(40, 3, generator=generator)

    def gap(coefficients: Tensor) -> Tensor:
        lips = (model.vertices + torch.tensordot(coefficients, model.expression_basis[own], dims=1)).float()
        landmarks = model.landmarks(lips)
        return (landmarks[:, 13, 1] - landmarks[:, 14, 1]).abs()

    result = match_expression(driving, seen, names, torch.zeros(3, dtype=torch.bool))
    rest = gap(torch.zeros(1, 3))
    assert (gap(result)[1::2] - rest).abs().max() < 0.5
    assert (gap(result)[::2] > 1.3 * gap(driving)[::2] - rest).all()


def test_gain_multiplies_the_departure_from_rest() -> None:
    assert amplify(column(1, 4), torch.tensor([2.0]), 1.5)[:, 0].tolist() == [0.5, 5]
    values = torch.rand(3, 2)
    assert amplify(values, torch.ones(2), 1.0) is values
    rest = euler_to_matrix(torch.tensor([0.3, 0.1, 0.0], dtype=torch.float64))
    turn = euler_to_matrix(torch.tensor([[0.2, 0.0, 0.0]], dtype=torch.float64))
    double = euler_to_matrix(torch.tensor([[0.4, 0.0, 0.0]], dtype=torch.float64))
    result = amplify_rotation(matrix_to_axis_angle(turn @ rest), rest, 2.0)
    torch.testing.assert_close(result, matrix_to_axis_angle(double @ rest))


def test_smoothing_stays_within_shots() -> None:
    step = torch.cat([torch.zeros(10, 3), torch.ones(10, 3)])
    assert torch.equal(smooth(step, 2.0, (10,)), step)
    assert smooth(step, 0.0, ()) is step
    blurred = smooth(step, 2.0, ())[:, 0]
    assert (blurred.diff()[5:13] > 0).all()
    torch.testing.assert_close(blurred + blurred.flip(0), torch.ones(20))
    torch.testing.assert_close(smooth_rotation(step, 2.0, (10,)), step)
    assert smooth_rotation(step, 0.0, ()) is step


def test_smoothed_rotations_are_continuous_past_half_a_turn() -> None:
    """Axis-angle jumps by a whole turn at 180 degrees; the smoothed rotations must not."""
    nod = Rotation.from_euler("y", 180 + 3 * np.sin(np.arange(30))[:, None], degrees=True)
    result = smooth_rotation(torch.from_numpy(nod.as_rotvec()), 3.0, ())
    left = (Rotation.from_rotvec(result.numpy()) * Rotation.from_euler("y", 180, degrees=True).inv()).magnitude()
    assert np.rad2deg(left).max() < 1.5


def head_turned(yaw: float, pitch: float, roll: float) -> Tensor:
    return matrix_to_axis_angle(euler_to_matrix(torch.tensor([[yaw, pitch, roll]], dtype=torch.float64).deg2rad()))


@given(st.floats(-18, 18), st.floats(-12, 12), st.floats(-30, 30), st.floats(-100, 100))
@settings(max_examples=25, deadline=None)
def test_eyes_look_into_the_camera_and_keep_their_angle(yaw: float, pitch: float, roll: float, aside: float) -> None:
    """From between the eyeballs, the mean of both rendered directions goes through the camera's centre."""
    actor = make_actor(load_face_model("builtin"))
    actor = replace(actor, gaze_offset=torch.tensor([0.05, -0.1, 0.05, -0.1]))
    rotation, translation = head_turned(yaw, pitch, roll), torch.tensor([[aside, 20.0, 1200.0]], dtype=torch.float64)
    seen = torch.tensor([[0.07, 0.02, -0.03, 0.0]]).expand(5, 4)  # eyes that diverge by 0.1, the left one higher by 0.02
    gaze = look_into_camera(rotation, translation, seen, actor)
    drawn = (gaze - actor.gaze_offset).view(2, 2)
    torch.testing.assert_close(drawn[0] - drawn[1], torch.tensor([0.1, 0.02], dtype=torch.float64), rtol=0, atol=1e-6)
    still = torch.zeros_like(translation)
    look = drawn.mean(0, keepdim=True) - torch.tensor([0, TRACKED_LOOK])
    direction = head_to_camera(gaze_direction(look), rotation, still)[0, 0]
    middle = head_to_camera(actor.eyeballs.double().mean(0, keepdim=True), rotation, translation)[0, 0]
    assert (direction + middle / middle.norm()).norm() < 1e-6


def test_eyes_do_not_leave_their_range_to_reach_the_camera() -> None:
    actor, parallel = make_actor(load_face_model("builtin")), torch.zeros(3, 4)
    place = torch.tensor([[0.0, 0.0, 1200.0]], dtype=torch.float64)
    for turn, axis, furthest in ((80.0, 0, 45), (-80.0, 0, 45), (60.0, 1, 30), (-60.0, 1, 30)):
        rotation = head_turned(*(turn if axis == k else 0.0 for k in range(3)))
        gaze = look_into_camera(rotation, place, parallel, actor).view(2, 2).rad2deg()[:, axis]
        assert (gaze * turn < 0).all()
        assert (gaze.abs() > furthest - 1).all()
        assert (gaze.abs() <= furthest).all()


def test_rotation_matrices_stay_rotations_under_every_mode() -> None:
    generator = torch.Generator().manual_seed(0)
    driving, seen = (0.3 * torch.randn(12, 3, generator=generator) for _ in range(2))
    for mode in ("typical", "reference", "relative", "matched"):
        result = axis_angle_to_matrix(follow_rotation(mode, driving, driving, seen, (driving[0], seen[0])))
        torch.testing.assert_close(result @ result.transpose(1, 2), torch.eye(3).expand(12, 3, 3), rtol=0, atol=1e-5)
        torch.testing.assert_close(torch.det(result), torch.ones(12), rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["target", "source"])
def test_modes_target_and_source_return_the_same_tensors(mode: str) -> None:
    driving, played = torch.rand(5, 3), torch.rand(5, 3)
    for function in (follow, follow_rotation):
        result = function(mode, driving, played, played, (NOWHERE, NOWHERE))  # type: ignore[arg-type]
        assert result is (played if mode == "target" else driving)
