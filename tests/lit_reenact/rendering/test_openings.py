"""Openness of eyes and mouth, worked by hand, and the inside of a mouth of two triangles."""

from __future__ import annotations

import pytest
import torch

from lit_reenact.core.facemesh import LOWER_LIP_RIM, RIGHT_LOWER_LID, RIGHT_UPPER_LID, UPPER_LIP_RIM, mirror_points
from lit_reenact.face import FaceModel, builtin_model
from lit_reenact.rendering.openings import EYE_RAMP, EYE_SHUT, LIPS_RAMP, LIPS_SHUT, Openness, look_into_mouth
from lit_reenact.rendering.scene import Surface
from tests.factories import make_actor


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


def with_gap(model: FaceModel, upper: tuple[int, ...], lower: tuple[int, ...], gap: float) -> torch.Tensor:
    """Return the mean face (1, V, 3) with the upper rim ``gap`` mm above the lower one at every place."""
    mesh = model.vertices.clone()
    mesh[list(upper[1:-1]), 1] = mesh[list(lower[1:-1]), 1] + gap
    return mesh[None]


def test_lips_open_within_a_known_range(model: FaceModel) -> None:
    openness = Openness(model, make_actor(model))
    for gap, expected in (
        (-1.0, 0.0),
        (LIPS_SHUT, 0.0),
        (LIPS_SHUT + LIPS_RAMP / 4, 0.25),
        (LIPS_SHUT + LIPS_RAMP, 1.0),
        (9.0, 1.0),
    ):
        opened = openness(with_gap(model, UPPER_LIP_RIM, LOWER_LIP_RIM, gap))
        assert float(opened[0, 2]) == pytest.approx(expected, abs=1e-3), gap
        assert (opened[0, :2] == 1).all()  # the eyes are at rest


def test_eyes_open_by_shares_of_their_own_rest(model: FaceModel) -> None:
    """The blink of the mean face closes entirely; each eye is tested by itself."""
    openness = Openness(model, make_actor(model))
    upper, lower = list(RIGHT_UPPER_LID[1:-1]), list(RIGHT_LOWER_LID[1:-1])
    rest = float((model.vertices[upper, 1] - model.vertices[lower, 1]).mean())
    for share, expected in ((0.0, 0.0), (EYE_SHUT, 0.0), (EYE_SHUT + EYE_RAMP / 2, 0.5), (EYE_SHUT + EYE_RAMP, 1.0)):
        opened = openness(with_gap(model, RIGHT_UPPER_LID, RIGHT_LOWER_LID, share * rest))
        assert float(opened[0, 1]) == pytest.approx(expected, abs=1e-3), share
        assert float(opened[0, 0]) == 1
        other = openness(with_gap(model, mirror_points(RIGHT_UPPER_LID), mirror_points(RIGHT_LOWER_LID), share * rest))
        assert float(other[0, 0]) == pytest.approx(expected, abs=1e-3), share


def test_the_inside_of_the_mouth_is_looked_up_where_it_lies(model: FaceModel) -> None:
    """A red triangle over the left half of a picture of 8 x 8 pixels, lit by half, at one depth; the right half shows nothing."""
    surface = Surface(
        faces=model.faces,
        region=model.region,
        label=model.region,
        reflectance=torch.ones(3, 2, 2),
        inner_faces=torch.tensor([[0, 1, 2], [0, 2, 3]]),
        inner_albedo=torch.tensor([[1.0, 0, 0], [1.0, 0, 0]]),
        eye_radius=model.eye_radius,
        iris_radius=model.iris_radius,
    )
    corners = torch.tensor([[[0.0, 0, 100], [0, 8, 100], [4, 8, 100], [4, 0, 100]]]).repeat(2, 1, 1)
    attributes = torch.cat([torch.full((2, 4, 3), 0.5), corners[..., :1] / 8], -1)
    asked = torch.tensor([64 + 8 * row + column for row in (3, 4) for column in (2, 3, 4, 5)])  # of the second picture
    shown, values = look_into_mouth(asked, (2, 8, 8), corners, attributes, surface)
    assert asked[shown].tolist() == [64 + 26, 64 + 27, 64 + 34, 64 + 35]
    torch.testing.assert_close(values[:, :3], torch.tensor([[0.5, 0, 0]]).repeat(4, 1))
    torch.testing.assert_close(values[:, 3], torch.tensor([2.5, 3.5, 2.5, 3.5]) / 8)
