"""Hair and glasses stay out of the reflectance; brows, lids and lips stay in it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix
from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel, builtin_model
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.tracking.complexion import learn_complexion
from lit_reenact.tracking.reflectance import learn_reflectance
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.skin_colour import find_features, fit_core, learn_skin_colour, may_be_skin
from lit_reenact.tracking.skin_samples import SkinPoints, skin_texels
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.state import State
from lit_reenact.tracking.tracked_skin import TrackedSkin
from tests.factories import make_actor, make_parameters

CAMERA = Camera(focal=4.5 * 256, width=256, height=256)
SIZE, FRAMES = 128, 12
SKIN, DARK, METAL = torch.tensor([0.75, 0.55, 0.45]), torch.tensor([0.10, 0.07, 0.06]), torch.tensor([0.62, 0.60, 0.60])


class Frames(NamedTuple):
    """Frames in memory that stand for the reader of a clip."""

    images: Tensor

    def read(self, numbers: list[int]) -> Tensor:
        return self.images[numbers]


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


def at(model: FaceModel, *landmarks: int) -> SkinPoints:
    """Return the vertices of landmarks as points on the skin."""
    corners = model.landmark_corners[list(landmarks)]
    return SkinPoints(corners, model.landmark_weights[list(landmarks)])


def test_the_majority_is_found_among_outliers() -> None:
    generator = torch.Generator().manual_seed(0)
    spread = torch.tensor([[0.2, 0.1, 0.0], [0.0, 0.1, 0.0], [0.0, 0.0, 0.05]])
    values = torch.randn(4000, 3, generator=generator) @ spread + 1
    values[:1000] = 3 + torch.rand(1000, 3, generator=generator)
    found = fit_core(values, min_deviation=0.0)
    assert (found.mean - 1).abs().max() < 0.02
    covariance = torch.linalg.inv(found.precision)
    assert (covariance - spread.T @ spread).abs().max() < 0.2 * 0.04  # its tails are cut off
    assert found.distance(values[:1000]).min() > 10


def test_skin_is_recognised_by_its_colour() -> None:
    generator = torch.Generator().manual_seed(1)
    shades = SKIN * (1 + 0.1 * torch.randn(1000, 1, generator=generator)) * (1 + 0.02 * torch.randn(1000, 3, generator=generator))
    colour = learn_skin_colour(torch.cat([shades, DARK.expand(300, 3)]))
    assert may_be_skin(shades, colour).float().mean() > 0.98
    assert not may_be_skin(torch.stack([DARK, torch.ones(3), torch.tensor([0.4, 0.55, 0.75])]), colour).any()


def test_features_are_brows_lids_lips_and_nostrils(model: FaceModel) -> None:
    assert find_features(model, at(model, 105, 334, 65, 295, 159, 386, 145, 374, 0, 17, 61, 291, 98, 327)).all()
    assert not find_features(model, at(model, 10, 151, 9, 50, 280, 127, 356, 234, 454, 6)).any()


def test_hair_and_glasses_are_filled_in_with_skin_and_brows_and_lips_stay(model: FaceModel) -> None:
    """Learn a face under known light with a fringe, a rim about each eye, brows and red lips on its texture."""
    texels, points = skin_texels(model, SIZE)
    place = points(model.vertices[None])[0]
    landmark = model.landmarks(model.vertices)

    def near(*numbers: int, reach: float) -> Tensor:
        return torch.cdist(place, landmark[list(numbers)]).amin(1) < reach

    eyes = torch.stack([landmark[[33, 133]].mean(0), landmark[[263, 362]].mean(0)])
    from_eye = torch.cdist(place[:, :2], eyes[:, :2]).amin(1)
    parts = {
        "fringe": place[:, 1] > 0.75 * landmark[10, 1] + 0.25 * landmark[151, 1],
        "rims": (from_eye > 22.0) & (from_eye < 23.5) & (place[:, 1] < landmark[145, 1]),
        "brows": near(105, 334, 66, 296, reach=3.0),
        "lips": near(0, 17, 37, 267, reach=3.0),
    }
    texture = SKIN[:, None].repeat(1, SIZE * SIZE)
    for name, colour in (("fringe", DARK), ("rims", METAL), ("brows", DARK), ("lips", torch.tensor([0.7, 0.25, 0.25]))):
        texture[:, texels[parts[name]]] = colour[:, None]
    actor = replace(make_actor(model), reflectance=texture.view(3, SIZE, SIZE))
    parameters = make_parameters(model, FRAMES, seed=5)
    parameters = parameters.replace(expression=torch.zeros_like(parameters.expression), rotation=0.5 * parameters.rotation)
    frames = Frames(ConditioningRenderer(model, actor, CAMERA)(parameters)[:, :3].permute(0, 2, 3, 1))
    state = State(axis_angle_to_matrix(parameters.rotation), parameters.translation, parameters.expression)
    skin = TrackedSkin(model, CAMERA, model.vertices, state, frames)  # type: ignore[arg-type]
    yes = torch.ones(FRAMES, dtype=torch.bool)
    settings = TrackerSettings(texture_size=SIZE)
    few = points[::10]
    learned = learn_complexion(skin.sample(few, torch.arange(FRAMES)), find_features(model, few), settings)
    assert learned.reliable[parts["fringe"][::10]].float().mean() < 0.1
    assert learned.reliable[parts["brows"][::10]].all()

    timing = Timing(yes, yes, ~yes, 30.0, FRAMES)
    found = learn_reflectance(skin, parameters.illumination, learned.colour, timing, settings).flatten(1)[:, texels].T
    off = (found - texture[:, texels].T).abs().mean(1)
    bare = ~torch.stack([*parts.values()]).any(0) & ~find_features(model, points)
    assert off[bare].median() < 0.02
    assert off[parts["brows"]].mean() < 0.1
    assert off[parts["lips"]].mean() < 0.1
    assert (found[parts["fringe"]] - SKIN).abs().mean() < 0.1
    assert (found[parts["rims"]] - SKIN).abs().mean() < 0.5 * (METAL - SKIN).abs().mean()
