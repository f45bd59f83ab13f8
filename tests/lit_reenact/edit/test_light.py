"""Light sliders, limited near the light of the training frames, with a message."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.edit import apply_sliders, hold_light
from lit_reenact.face import load_face_model
from lit_reenact.rendering.shading import irradiance
from tests.factories import make_track

MODEL = load_face_model("builtin")
FRAMES = 20
SIDES = torch.tensor([[[1.0, 0, 0], [-1.0, 0, 0], [0, -1.0, 0], [0, 1.0, 0]]])
"""Directions to the right of the picture, to its left, up and down, in camera axes."""


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Track:
    """Return a track whose even white light goes from 2 to 3 in training, and is 10 afterwards."""
    track = make_track(tmp_path_factory.mktemp("light"), frames=2 * FRAMES, size=32)
    light = torch.zeros(2 * FRAMES, 9, 3)
    light[:FRAMES, 0] = torch.linspace(2, 3, FRAMES)[:, None]
    light[FRAMES:, 0] = 10
    return replace(track, parameters=track.parameters.replace(illumination=light.flatten(1)))


def slider_values(**sliders: float) -> dict[str, Tensor]:
    return {name: torch.full((1,), float(value)) for name, value in sliders.items()}


def lit(track: Track, frame: int, **sliders: float) -> Tensor:
    """Return the light (4, 3) on surfaces that face ``SIDES`` in one frame under limited sliders."""
    parameters = track.parameters[frame : frame + 1]
    values, _ = hold_light(slider_values(**sliders), parameters, track)
    edited: FaceParameters = apply_sliders(values, parameters, MODEL)
    return irradiance(SIDES, edited.illumination)[0]


@pytest.mark.parametrize(("asked", "even"), [(20, 2.4), (-20, 2 / 1.1), (100, 3 * 1.1)])
def test_brightness_goes_a_tenth_beyond_the_training(track: Track, asked: float, even: float) -> None:
    """The sliders start from the darkest frame; the rarest light does not count, up to half a percent of this range."""
    plain = irradiance(SIDES, track.parameters.illumination[:1])[0]
    torch.testing.assert_close(lit(track, 0, brightness=asked), plain * even / 2, rtol=0.01, atol=0)


def test_light_of_one_side_gives_it_a_fifth_more(track: Track) -> None:
    plain = irradiance(SIDES, track.parameters.illumination[:1])[0]
    left = plain * torch.tensor([1.2, 0.8, 1, 1])[:, None]
    torch.testing.assert_close(lit(track, 0, light_left=100), left, rtol=1e-3, atol=0)
    below = plain * torch.tensor([1, 1, 0.8, 1.2])[:, None]
    torch.testing.assert_close(lit(track, 0, light_above=-100), below, rtol=1e-3, atol=0)


def test_warm_light_has_no_more_than_a_fifth_more_red_over_blue(track: Track) -> None:
    """The limit is a tenth in half the logarithm of their ratio."""
    red, _, blue = lit(track, 0, warmth=50).unbind(-1)
    torch.testing.assert_close(red / blue, torch.full((4,), 1.2214), rtol=1e-3, atol=0)


def test_values_in_range_stay_and_others_give_a_message(track: Track) -> None:
    parameters = track.parameters[:1]
    values = slider_values(head_yaw=30, light_left=-15, brightness=-40)
    limited, messages = hold_light(values, parameters, track)
    assert limited["head_yaw"] is values["head_yaw"]
    assert torch.equal(limited["light_left"], values["light_left"])
    assert len(messages) == 1
    assert "brightness: -40 % was asked for, -9 % is shown" in messages[0]
    assert hold_light(slider_values(light_left=-15), parameters, track)[1] == ()


def test_light_that_lies_outside_by_itself_is_not_pushed(track: Track) -> None:
    """A later frame is brighter than all of training: it may become darker but not brighter, and stays without a slider."""
    late, values = track.parameters[FRAMES : FRAMES + 1], [slider_values(brightness=b) for b in (50, -30, 0)]
    assert [float(hold_light(value, late, track)[0]["brightness"]) for value in values] == [0, -30, 0]
