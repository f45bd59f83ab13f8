"""Hand-over types refuse impossible values; slicing, moving and replacing keep everything else."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import (
    CONDITIONING,
    CONDITIONING_CHANNELS,
    LANDMARK_COUNT,
    Actor,
    Camera,
    CropBox,
    FaceParameters,
    Landmarks,
    Track,
    TrackInfo,
    conditioning_channels,
    parse_conditioning,
)

WIDTHS = {"rotation": 3, "translation": 3, "identity": 5, "expression": 4, "illumination": 27, "gaze": 4}


def parameters(frames: int = 6) -> FaceParameters:
    random = torch.Generator().manual_seed(0)
    return FaceParameters(**{name: torch.randn(frames, width, generator=random) for name, width in WIDTHS.items()})


def assert_frames(part: FaceParameters, whole: FaceParameters, frames: list[int]) -> None:
    assert len(part) == len(frames)
    for name in WIDTHS:
        assert torch.equal(getattr(part, name), getattr(whole, name)[frames])


def test_some_frames_of_the_parameters() -> None:
    whole = parameters()
    assert len(whole) == 6
    assert_frames(whole[1:4], whole, [1, 2, 3])
    assert_frames(whole[torch.tensor([5, 0, 0])], whole, [5, 0, 0])
    assert_frames(whole[torch.tensor([True, False, False, True, False, False])], whole, [0, 3])
    assert_frames(whole[2:3], whole, [2])


def test_parameters_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="'gaze': 3"):
        parameters().replace(gaze=torch.zeros(3, 4))


def test_exchanging_a_channel_keeps_the_others() -> None:
    whole = parameters()
    edited = whole.replace(gaze=torch.zeros(6, 4))
    assert (edited.gaze == 0).all()
    assert (whole.gaze != 0).any()
    for name in set(WIDTHS) - {"gaze"}:
        assert getattr(edited, name) is getattr(whole, name)


def test_the_types_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        parameters().gaze = torch.zeros(6, 4)  # type: ignore[misc]


def test_everything_moves_to_the_device() -> None:
    actor = Actor(
        torch.zeros(9, 3), torch.zeros(5), torch.zeros(3, 8, 8), torch.zeros(2, 3), torch.zeros(4), torch.zeros(0, 468, 3)
    )
    for moved in (parameters().to("meta"), actor.to("meta")):
        assert all(getattr(moved, field.name).is_meta for field in fields(moved))


def test_a_resized_camera_keeps_its_field_of_view() -> None:
    assert Camera(focal=450.0, width=100, height=100).resize(250) == Camera(focal=1125.0, width=250, height=250)


def test_a_camera_that_is_not_square_is_not_resized() -> None:
    with pytest.raises(ReenactError, match="100x80"):
        Camera(focal=450.0, width=100, height=80).resize(64)


def test_lengths_are_counted_in_frames() -> None:
    landmarks = Landmarks(torch.zeros(6, LANDMARK_COUNT, 3), torch.ones(6, dtype=torch.bool))
    actor = Actor(
        torch.zeros(9, 3), torch.zeros(5), torch.zeros(3, 8, 8), torch.zeros(2, 3), torch.zeros(4), torch.zeros(0, 468, 3)
    )
    info = TrackInfo("a.mp4", "0" * 64, "1" * 64, "30/1", CropBox(0, 0, 256), "builtin", "2" * 16, 4, {})
    error, corrective = torch.zeros(6), torch.zeros(6, 0)
    levels = torch.zeros(6, 2)
    track = Track(parameters(), actor, Camera(1.0, 256, 256), landmarks.found, error, corrective, error, levels, landmarks, info)
    assert len(landmarks) == len(track) == 6
    assert track.info.warnings == ()


def test_conditioning_images_have_three_channels_each() -> None:
    assert conditioning_channels(CONDITIONING) == CONDITIONING_CHANNELS == 9
    assert conditioning_channels(["depth"]) == 3


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        ([], "names no image: choose from diffuse, correspondence, eyes, landmarks, normals, depth"),
        (["diffuse", "nose"], "names 'nose', but there are only diffuse"),
        (["eyes", "diffuse", "eyes"], "names eyes twice"),
    ],
)
def test_impossible_conditioning_is_refused(images: list[str], sentence: str) -> None:
    assert parse_conditioning(["landmarks", "eyes"]) == ("landmarks", "eyes")
    with pytest.raises(ReenactError, match=sentence):
        parse_conditioning(images)
