"""Painting and pooling against values worked by hand, and the compiled kernels against torch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from lit_reenact.rendering import backend
from lit_reenact.rendering.painting import pooled, textured
from lit_reenact.rendering.rasterizer import Hits, find_hits

HEIGHT, WIDTH = 24, 36


def scene(frames: int = 3, triangles: int = 150) -> tuple[Tensor, Tensor, Tensor]:
    """Points (T, V, 3), faces, and attributes (T, V, 8) of triangles that lie every which way."""
    random = torch.Generator().manual_seed(1)
    centre = torch.rand(frames, triangles, 1, 3, generator=random) * torch.tensor([WIDTH, HEIGHT, 300.0])
    points = centre + torch.randn(frames, triangles, 3, 3, generator=random) * 6 + torch.tensor([0, 0, 300.0])
    points = points.flatten(1, 2)
    return points, torch.arange(3 * triangles).view(-1, 3), torch.rand(*points.shape[:2], 8, generator=random)


@pytest.mark.usefixtures("implementation")
def test_light_times_texture_and_the_other_colour() -> None:
    """On a texture whose colour is its coordinates bilinear look-up gives them back, half a texel from the border."""
    points, faces, attributes = scene()
    attributes[..., 6:] = 0.2 + 0.6 * attributes[..., 6:]
    ramp_v, ramp_u = torch.meshgrid((torch.arange(16) + 0.5) / 16, (torch.arange(10) + 0.5) / 10, indexing="ij")
    texture = torch.stack([ramp_u, ramp_v, torch.full_like(ramp_u, 3.0)])
    hits = find_hits(points, faces, HEIGHT, WIDTH)
    assert len(hits.pixel) > 1000
    values = textured(hits, attributes, faces, texture, HEIGHT * WIDTH)
    corners = attributes[(hits.pixel // (HEIGHT * WIDTH))[:, None], faces[hits.triangle]]  # (P, 3, 8)
    light, colour, uv = (corners * hits.barycentric[..., None]).sum(1).split([3, 3, 2], dim=1)
    albedo = torch.cat([uv, torch.full_like(uv[:, :1], 3.0)], 1)
    assert (albedo * light > 1).any()
    expected = torch.cat([(albedo * light).clamp(0, 1), colour, torch.zeros_like(colour)], 1)
    torch.testing.assert_close(values, expected, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("implementation")
def test_beyond_the_texture_is_its_border() -> None:
    hits = Hits(torch.tensor([0]), torch.tensor([0]), torch.tensor([[1.0, 0, 0]]), torch.tensor([500.0]))
    texture = torch.tensor([[[0.1, 0.2], [0.3, 0.4]]]).expand(3, 2, 2)
    for u, v, expected in ((-1.0, -1.0, 0.1), (2.0, 0.0, 0.2), (0.0, 1.0, 0.3), (9.0, 9.0, 0.4), (0.5, 0.5, 0.25)):
        attributes = torch.tensor([[[1.0, 1, 1, 0, 0, 0, u, v]] * 3])
        values = textured(hits, attributes, torch.tensor([[0, 1, 2]]), texture, 1)
        torch.testing.assert_close(values[0, :3], torch.full((3,), expected))


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("samples", [1, 2, 3])
def test_a_pixel_shows_the_mean_of_its_samples(samples: int) -> None:
    random = torch.Generator().manual_seed(2)
    frames, height, width = 2, 5, 7
    dense = torch.rand(frames, height * samples, width * samples, 4, generator=random)
    dense[torch.rand(dense.shape[:3], generator=random) < 0.4] = 0
    pixel = dense.flatten(0, 2).any(1).nonzero().squeeze(-1)
    images = pooled(dense.flatten(0, 2)[pixel], pixel, (frames, height, width), samples)
    mean = avg_pool2d((dense * 255).round().permute(0, 3, 1, 2), samples)
    assert images.dtype == torch.uint8
    assert torch.equal(images, mean.round().to(torch.uint8))


@pytest.mark.usefixtures("implementation")
def test_nothing_covered() -> None:
    points, faces, attributes = scene()
    hits = find_hits(-points, faces, HEIGHT, WIDTH)
    values = textured(hits, attributes, faces, torch.rand(3, 4, 4), HEIGHT * WIDTH)
    assert values.shape == (0, 9)
    assert (pooled(values, hits.pixel, (3, HEIGHT // 2, WIDTH // 2), 2) == 0).all()


def test_the_compiled_kernels_are_equal_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    points, faces, attributes = scene(triangles=400)
    faces = torch.cat([faces, faces[:100]])  # equal depths
    texture = torch.rand(3, 16, 10)
    found = []
    for compiled in (False, True):
        monkeypatch.setattr(backend, "COMPILED", compiled)
        for cull in (False, True):
            hits = find_hits(points, faces, HEIGHT, WIDTH, cull)
            values = textured(hits, attributes, faces, texture, HEIGHT * WIDTH)
            found.append((hits, values, pooled(values, hits.pixel, (3, HEIGHT // 2, WIDTH // 2), 2)))
    for (hits, values, images), (again, values_again, images_again) in zip(found[:2], found[2:], strict=True):
        assert torch.equal(hits.pixel, again.pixel)
        assert torch.equal(hits.triangle, again.triangle)
        torch.testing.assert_close(hits.barycentric, again.barycentric, atol=2e-6, rtol=0)
        torch.testing.assert_close(hits.depth, again.depth, rtol=1e-6, atol=0)
        torch.testing.assert_close(values, values_again, atol=1e-4, rtol=0)
        assert (images.int() - images_again.int()).abs().max() <= 1
        assert (images != images_again).double().mean() < 1e-3


def test_torch_draws_where_the_kernels_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    assert backend.kernels(torch.device("cpu")) is not None
    assert backend.kernels(torch.device("cuda")) is None
    monkeypatch.setattr(backend, "COMPILED", False)
    assert backend.kernels(torch.device("cpu")) is None
