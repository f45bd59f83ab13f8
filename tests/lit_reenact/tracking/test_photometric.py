"""Light and reflectance of known skin, and the visibility of its points."""

from __future__ import annotations

import pytest
import torch

from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel, builtin_model
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.rendering.shading import irradiance, shade
from lit_reenact.tracking.complexion import learn_complexion
from lit_reenact.tracking.photometric import fill_holes, fit_albedo, fit_light, normalise
from lit_reenact.tracking.reflectance import paint
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.skin_samples import Samples, sample_skin, skin_texels
from tests.factories import make_actor, make_parameters

FRAMES, POINTS = 12, 800


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


def known_scene(seed: int = 0) -> tuple[Samples, torch.Tensor, torch.Tensor]:
    """Samples of a hemisphere of normals, their light (T, 27) and albedo (N, 3)."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(FRAMES, POINTS, 3, generator=generator)
    normal[..., 2] = -normal[..., 2].abs()
    normal = torch.nn.functional.normalize(normal, dim=-1)
    light = 0.15 * torch.randn(FRAMES, 27, generator=generator)
    light[:, :3] = 3.2
    albedo = 0.3 + 0.5 * torch.rand(POINTS, 3, generator=generator)
    colour = shade(albedo.expand(FRAMES, -1, -1), normal, light)
    return Samples(colour, normal, -normal[..., 2]), light, albedo


def test_light_is_found_when_the_albedo_is_known() -> None:
    samples, light, albedo = known_scene()
    found = irradiance(samples.normal, fit_light(samples, albedo, ridge=1e-4))
    known = irradiance(samples.normal, light)
    assert ((found - known).abs().mean() / known.mean()) <= 0.02


def test_ridge_holds_towards_the_usual_light() -> None:
    samples, light, albedo = known_scene()
    usual = light[:1]
    torch.testing.assert_close(fit_light(samples, albedo, ridge=1e4, usual=usual), usual.expand(FRAMES, -1), atol=1e-3, rtol=1e-3)


def test_albedo_is_found_in_spite_of_outliers() -> None:
    samples, light, albedo = known_scene()
    samples.colour[3] = 1.0  # one frame is glare
    found, share = fit_albedo(samples, light)
    assert (found - albedo).abs().mean() < 0.01
    torch.testing.assert_close(share, samples.weight.sum(0))


def test_light_and_albedo_together_explain_the_colours() -> None:
    samples, _, _ = known_scene()
    settings = TrackerSettings()
    learned = learn_complexion(samples, torch.zeros(POINTS, dtype=torch.bool), settings)
    light = fit_light(samples, learned.albedo, settings.light_steadiness, learned.usual)
    explained = shade(learned.albedo.expand(FRAMES, -1, -1), samples.normal, light)
    assert bool(learned.reliable.all())
    assert (explained - samples.colour).abs().mean() < 0.03
    torch.testing.assert_close(normalise(samples, learned.usual), learned.usual, atol=0.1, rtol=0.1)


def test_holes_are_filled_smoothly() -> None:
    ramp = torch.linspace(0, 1, 64).expand(3, 64, 64)
    weight = torch.ones(64, 64)
    weight[20:44, 20:44] = 0
    filled = fill_holes(ramp * weight, weight)
    assert (filled - ramp).abs().max() < 0.15
    assert torch.equal(filled[:, :20], ramp[:, :20])


def test_reflectance_of_a_rendered_face_is_found(model: FaceModel) -> None:
    """Render a known person, sample the pictures, and compare the textures where skin was seen."""
    camera = Camera(focal=4.5 * 128, width=128, height=128)
    actor = make_actor(model)
    parameters = make_parameters(model, FRAMES, seed=5)
    parameters = parameters.replace(translation=parameters.translation * 0.8)
    frames = ConditioningRenderer(model, actor, camera)(parameters)[:, :3].permute(0, 2, 3, 1)
    texels, points = skin_texels(model, 64)
    mesh = model.mesh(actor, parameters)
    samples = sample_skin(model, points, mesh, parameters.rotation, parameters.translation, camera, frames)
    albedo, share = fit_albedo(samples, parameters.illumination)
    texture = paint(albedo, share, torch.ones_like(share), texels, 64)
    well_seen = texels[share > share.median()]
    off = (texture - actor.reflectance).abs().flatten(1)[:, well_seen]
    assert off.mean() < 0.02


def test_hidden_skin_has_no_weight(model: FaceModel) -> None:
    """A head in profile: no point of the far side is sampled."""
    camera = Camera(focal=576.0, width=128, height=128)
    actor = make_actor(model)
    parameters = make_parameters(model, 1).replace(
        rotation=torch.tensor([[0.0, 1.2, 0.0]]), translation=torch.tensor([[0.0, 0.0, 1000.0]])
    )
    _, points = skin_texels(model, 64)
    mesh = actor.neutral[None]
    frames = torch.zeros(1, 128, 128, 3, dtype=torch.uint8)
    weight = sample_skin(model, points, mesh, parameters.rotation, parameters.translation, camera, frames).weight[0]
    place = points(mesh)[0]
    assert weight[place[:, 0] > 40].max() == 0  # turned to the subject's left, its left cheek is hidden
    assert weight[place[:, 0] < -40].max() > 0.5
