"""Painting against loops over samples, and the compiled kernels against torch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from lit_reenact.core.schema import CONDITIONING_CHANNELS, Camera
from lit_reenact.face.topology import HEAD, MOUTH, SKIN
from lit_reenact.rendering import backend
from lit_reenact.rendering.painting import paint, shade_patches
from lit_reenact.rendering.rasterizer import find_hits, rasterize
from lit_reenact.rendering.scene import SAMPLES, Scene, Surface
from lit_reenact.rendering.supersampling import Patches, find_patches

HEIGHT, WIDTH = 24, 36
"""Size of the images in pixels."""


def soup(frames: int = 3, triangles: int = 150) -> tuple[Surface, Scene]:
    """Return triangles of skin in random places, with random labels and attributes."""
    random = torch.Generator().manual_seed(1)
    size = torch.tensor([WIDTH * SAMPLES, HEIGHT * SAMPLES, 300.0])
    centre = torch.rand(frames, triangles, 1, 3, generator=random) * size
    points = centre + torch.randn(frames, triangles, 3, 3, generator=random) * 12 + torch.tensor([0, 0, 300.0])
    points = points.flatten(1, 2)
    surface = Surface(
        faces=torch.arange(3 * triangles).view(-1, 3),
        region=torch.full((triangles,), SKIN, dtype=torch.uint8),
        label=torch.randint(0, 4, (triangles,), generator=random, dtype=torch.uint8),
        reflectance=torch.rand(3, 16, 10, generator=random),
        inner_faces=torch.zeros(0, 3, dtype=torch.int64),
        inner_albedo=torch.zeros(0, 3),
        eye_radius=12.0,
        iris_radius=6.0,
    )
    scene = Scene(
        camera=Camera(300.0, WIDTH * SAMPLES, HEIGHT * SAMPLES),
        points=points,
        attributes=torch.rand(*points.shape[:2], 8, generator=random),
        openness=torch.ones(frames, 3),
        eyeballs=torch.tensor([0.0, 0, 100]).repeat(frames, 2, 1),
        gaze=torch.tensor([0.0, 0, -1]).repeat(frames, 2, 1),
    )
    return surface, scene


def samples_of_pixels(images: Tensor) -> Tensor:
    """Reshape (B, S * H, S * W, ...) to (B * H * W, S * S, ...), row by row."""
    split = images.view(len(images), HEIGHT, SAMPLES, WIDTH, SAMPLES, *images.shape[3:])
    return split.transpose(2, 3).flatten(0, 2).flatten(1, 2)


def paint_images(surface: Surface, scene: Scene) -> Tensor:
    """Paint images over other content: uint8 (T, 10, H, W)."""
    images = torch.full((len(scene), HEIGHT, WIDTH, CONDITIONING_CHANNELS + 1), 7, dtype=torch.uint8)
    paint(surface, scene, images)
    return images.permute(0, 3, 1, 2)


def patches_of(surface: Surface, scene: Scene) -> Patches:
    return find_patches(scene.points, surface.faces, surface.region != SKIN, HEIGHT, WIDTH, SAMPLES)


def test_patches_are_the_samples_of_a_pixel_that_show_the_same_triangle() -> None:
    surface, scene = soup()
    surface = replace(surface, region=torch.where(torch.arange(150) % 5 == 0, MOUTH, SKIN).to(torch.uint8))
    found = patches_of(surface, scene)
    seen = rasterize(scene.points, surface.faces, HEIGHT * SAMPLES, WIDTH * SAMPLES).triangle
    row, column = torch.meshgrid(torch.arange(HEIGHT * SAMPLES), torch.arange(WIDTH * SAMPLES), indexing="ij")
    places = samples_of_pixels(torch.stack([column + 0.5, row + 0.5], -1).repeat(len(scene), 1, 1, 1))
    expected: list[tuple[int, int, int, float, float, bool]] = []
    for pixel, (triangles, place) in enumerate(zip(samples_of_pixels(seen).tolist(), places, strict=True)):
        left = [k for k, triangle in enumerate(triangles) if triangle >= 0]
        while left:
            alone = triangles[left[0]] % 5 == 0
            group = left[:1] if alone else [k for k in left if triangles[k] == triangles[left[0]]]
            x, y = place[group].mean(0).tolist()
            expected.append((pixel, triangles[group[0]], len(group), x, y, 0 in group))
            left = [k for k in left if k not in group]
    assert any(len({*triangles}) > 2 for triangles in samples_of_pixels(seen).tolist())
    assert found.pixel.tolist() == [e[0] for e in expected]
    assert found.triangle.tolist() == [e[1] for e in expected]
    assert found.count.tolist() == [e[2] for e in expected]
    torch.testing.assert_close(found.place, torch.tensor([e[3:5] for e in expected]))
    assert found.leads.tolist() == [e[5] for e in expected]
    first = found.sample % (HEIGHT * WIDTH * SAMPLES**2)
    single = found.count == 1
    assert torch.equal(torch.stack([first % (WIDTH * SAMPLES), first // (WIDTH * SAMPLES)], 1)[single] + 0.5, found.place[single])


def test_weights_are_those_of_the_centroid() -> None:
    """The weighted sum of the corners in space lies on the ray through the centroid (x and y in samples times depth)."""
    surface, scene = soup()
    found = patches_of(surface, scene)
    corners = scene.points[(found.pixel // (HEIGHT * WIDTH))[:, None], surface.faces[found.triangle]].double()  # (P, 3, 3)
    space = torch.cat([corners[..., :2] * corners[..., 2:], corners[..., 2:]], -1)
    x, y, depth = (space * found.barycentric[..., None]).sum(1).unbind(-1)
    assert ((torch.stack([x / depth, y / depth], 1) - found.place).abs() < 1e-2).all()
    torch.testing.assert_close(depth.float(), found.depth, rtol=1e-4, atol=0)


def test_light_times_texture_and_the_correspondence_colour() -> None:
    """Bilinear look-up in a texture whose colour is its coordinates returns them, half a texel from the border."""
    surface, scene = soup()
    attributes = scene.attributes
    attributes[..., 6:] = 0.2 + 0.6 * attributes[..., 6:]
    ramp_v, ramp_u = torch.meshgrid((torch.arange(16) + 0.5) / 16, (torch.arange(10) + 0.5) / 10, indexing="ij")
    texture = torch.stack([ramp_u, ramp_v, torch.full_like(ramp_u, 3.0)])
    patches = patches_of(surface, scene)
    assert len(patches.pixel) > 1000
    values = shade_patches(patches, attributes, surface.faces, texture, HEIGHT * WIDTH)
    corners = attributes[(patches.pixel // (HEIGHT * WIDTH))[:, None], surface.faces[patches.triangle]]  # (P, 3, 8)
    light, colour, uv = (corners * patches.barycentric[..., None]).sum(1).tensor_split([3, 6], 1)
    albedo = torch.cat([uv, torch.full_like(uv[:, :1], 3.0)], 1)
    assert (albedo * light > 1).any()
    expected = torch.cat([(albedo * light).clamp(0, 1), colour, torch.zeros_like(colour)], 1)
    torch.testing.assert_close(values, expected, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("implementation")
def test_beyond_the_texture_is_its_border() -> None:
    surface, scene = soup(frames=1, triangles=1)
    surface = replace(surface, reflectance=torch.tensor([[[0.1, 0.2], [0.3, 0.4]]]).expand(3, 2, 2))
    points = torch.tensor([[[-99.0, -99, 500], [-99, 999, 500], [999, -99, 500]]])
    for u, v, expected in ((-1.0, -1.0, 0.1), (2.0, 0.0, 0.2), (0.0, 1.0, 0.3), (9.0, 9.0, 0.4), (0.5, 0.5, 0.25)):
        attributes = torch.tensor([[[1.0, 1, 1, 0, 0, 0, u, v]] * 3])
        images = paint_images(surface, replace(scene, points=points, attributes=attributes))
        assert ((images[:, :3] - 255 * expected).abs() <= 0.51).all()


@pytest.mark.usefixtures("implementation")
def test_a_pixel_shows_the_mean_of_its_samples_and_what_most_of_them_are() -> None:
    """Every triangle has one colour, so that the place of a sample in it does not matter."""
    surface, scene = soup()
    attributes = scene.attributes[:, ::3].repeat_interleave(3, 1)
    images = paint_images(replace(surface, reflectance=torch.ones(3, 4, 4)), replace(scene, attributes=attributes))
    assert images.shape == (3, CONDITIONING_CHANNELS + 1, HEIGHT, WIDTH)
    assert images.dtype == torch.uint8
    seen = rasterize(scene.points, surface.faces, HEIGHT * SAMPLES, WIDTH * SAMPLES).triangle
    colours = attributes[torch.arange(3)[:, None, None], surface.faces[seen, 0], :6] * (seen >= 0)[..., None]
    mean = 255 * samples_of_pixels(colours).mean(1)
    shown = images.permute(0, 2, 3, 1).flatten(0, 2)
    assert ((shown[:, :6] - mean).abs() < 0.501).all()
    assert (shown[:, 6:9] == 0).all()
    labels = samples_of_pixels(torch.where(seen >= 0, surface.label[seen], 0))
    votes = (labels[:, :, None] == torch.arange(4)).sum(1)  # (P, 4)
    first = labels[:, 0].long()
    best = votes.amax(1)
    of_shown, of_first = (votes.gather(1, label[:, None]).squeeze(1) for label in (shown[:, 9].long(), first))
    assert (of_shown == best).all()
    assert (shown[:, 9][of_first == best] == first[of_first == best]).all()  # in a tie the first sample decides


@pytest.mark.usefixtures("implementation")
def test_nothing_covered() -> None:
    surface, scene = soup()
    assert not paint_images(surface, replace(scene, points=-scene.points)).any()
    assert paint_images(surface, scene[:0]).shape == (0, CONDITIONING_CHANNELS + 1, HEIGHT, WIDTH)


def test_the_compiled_kernels_are_equal_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scene has triangles at equal depth, texture coordinates out of bounds, and eyes and mouth half open."""
    pytest.importorskip("numba")
    surface, scene = soup(triangles=400)
    random = torch.Generator().manual_seed(2)
    faces = torch.cat([surface.faces, surface.faces[:100]])
    surface = replace(
        surface,
        faces=faces,
        region=torch.randint(SKIN, HEAD + 1, (len(faces),), generator=random, dtype=torch.uint8),
        label=torch.randint(0, 4, (len(faces),), generator=random, dtype=torch.uint8),
        inner_faces=faces.flip(0)[:200],
        inner_albedo=torch.rand(200, 3, generator=random),
    )
    attributes = scene.attributes.clone()
    attributes[..., 6:] = attributes[..., 6:] * 1.6 - 0.3
    x = torch.tensor([-8.0, 8.0])
    scene = replace(
        scene,
        attributes=attributes,
        openness=torch.tensor([[1.0, 0.5, 1.0], [0.0, 1.0, 0.0], [0.3, 0.0, 0.6]]),
        eyeballs=torch.stack([x, torch.zeros(2), torch.full((2,), 100.0)], -1).repeat(3, 1, 1),
        gaze=normalize(torch.randn(3, 2, 3, generator=random) * 0.3 - torch.tensor([0, 0, 1.0]), dim=-1),
    )
    found = []
    for compiled in (False, True):
        monkeypatch.setattr(backend, "COMPILED", compiled)
        hits = [find_hits(scene.points, faces, HEIGHT * SAMPLES, WIDTH * SAMPLES, cull) for cull in (False, True)]
        found.append((hits, paint_images(surface, scene)))
    for one, again in zip(found[0][0], found[1][0], strict=True):
        assert torch.equal(one.pixel, again.pixel)
        assert torch.equal(one.triangle, again.triangle)
        torch.testing.assert_close(one.barycentric, again.barycentric, atol=2e-6, rtol=0)
        torch.testing.assert_close(one.depth, again.depth, rtol=1e-6, atol=0)
    images, images_again = found[0][1], found[1][1]
    eyes = images[:, 6:9].float().mean((2, 3))
    assert (eyes[:, 2] > eyes[:, 0]).all()  # white and iris
    assert (images.int() - images_again.int()).abs()[:, :9].max() <= 1
    assert (images != images_again).double().mean() < 1e-3
    assert torch.equal(images[:, 9], images_again[:, 9])
