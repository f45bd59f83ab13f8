"""The rasterizer against a loop over triangles and half-planes in float64, and against values worked by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from lit_reenact.rendering import backend, span_rasterizer
from lit_reenact.rendering.rasterizer import Fragments, find_hits, images_per_chunk, interpolate, rasterize

pytestmark = pytest.mark.usefixtures("implementation")

FRONT = torch.tensor([[0, 1, 2]])


def reference(points: npt.NDArray[np.float64], faces: npt.NDArray[np.int64], height: int, width: int) -> npt.NDArray[np.float64]:
    """Draw one image by a loop over triangles: (H, W, 5) triangle, depth, and the three perspective-correct weights."""
    image = np.full((height, width, 5), [-1, np.inf, 0, 0, 0])
    y, x = np.mgrid[:height, :width] + 0.5
    for index, face in enumerate(faces):
        a, b, c = points[face]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        if area >= 0 or min(a[2], b[2], c[2]) < 1:
            continue
        opposite = [(b, c), (c, a), (a, b)]
        screen = np.stack([(q[0] - p[0]) * (y - p[1]) - (x - p[0]) * (q[1] - p[1]) for p, q in opposite], -1) / area
        inverse = screen / [a[2], b[2], c[2]]
        depth = 1 / np.where(inverse.sum(-1) > 0, inverse.sum(-1), np.nan)
        nearer = (screen >= 0).all(-1) & (depth < image[..., 1])
        found = np.concatenate([np.full_like(depth, index)[..., None], depth[..., None], inverse * depth[..., None]], -1)
        image[nearer] = found[nearer]
    return image


def grid_mesh(columns: int, rows: int) -> tuple[Tensor, Tensor]:
    """Return a square [0, 1]^2 of 2 * columns * rows triangles that face the viewer: points (V, 2), y down, and faces."""
    y, x = torch.meshgrid(torch.linspace(0, 1, rows + 1), torch.linspace(0, 1, columns + 1), indexing="ij")
    corner = torch.arange(columns * rows) // columns * (columns + 1) + torch.arange(columns * rows) % columns
    below = corner + columns + 1
    faces = torch.cat([torch.stack([corner, below, corner + 1], 1), torch.stack([corner + 1, below, below + 1], 1)])
    return torch.stack([x, y], -1).flatten(0, 1), faces


def soup(seed: int, triangles: int = 200) -> tuple[Tensor, Tensor]:
    """Return triangles of all sizes and orientations, partly outside a 96 x 64 image."""
    random = torch.Generator().manual_seed(seed)
    corner, size = torch.tensor([-7.0, -8.0, 300.0]), torch.tensor([110.0, 80.0, 300.0])
    centre = corner + torch.rand(triangles, 1, 3, generator=random) * size
    spread = torch.rand(triangles, 1, 1, generator=random) * torch.tensor([30.0, 30.0, 60.0])
    points = centre + torch.randn(triangles, 3, 3, generator=random) * spread
    return points.flatten(0, 1), torch.arange(3 * triangles).view(-1, 3)


@pytest.mark.parametrize("seed", range(4))
def test_random_triangles_match_the_loop(seed: int) -> None:
    points, faces = soup(seed)
    found = rasterize(points[None], faces, 64, 96)
    expected = reference(points.double().numpy(), faces.numpy(), 64, 96)
    triangle, covered = found.triangle[0].numpy(), found.triangle[0].numpy() >= 0
    assert (triangle == expected[..., 0]).mean() >= 0.999
    both = covered & (expected[..., 0] >= 0)
    assert both.sum() / (covered | (expected[..., 0] >= 0)).sum() >= 0.999
    same = both & (triangle == expected[..., 0])
    np.testing.assert_allclose(found.depth[0].numpy()[same], expected[..., 1][same], rtol=1e-4)
    np.testing.assert_allclose(found.barycentric[0].numpy()[same], expected[..., 2:][same], atol=5e-3)


def test_a_warped_grid_covers_every_pixel_inside_once() -> None:
    """Shared edges have no holes, wherever the vertices lie, and no pixel on them belongs to two triangles."""
    points, faces = grid_mesh(13, 11)
    inner = ((points > 0) & (points < 1)).all(-1, keepdim=True)
    points = points * 64 + torch.randn(points.shape, generator=torch.Generator().manual_seed(0)) * 0.8 * inner
    points[7 * 14 + 5] = points[7 * 14 + 5].round() + 0.5  # a vertex exactly on a pixel centre
    points = torch.cat([points, torch.full_like(points[:, :1], 500)], -1)
    together = rasterize(points[None], faces, 64, 64)
    assert (together.triangle >= 0).all()
    alone = [rasterize(points[None], face[None], 64, 64).triangle >= 0 for face in faces]
    assert (torch.stack(alone).sum(0) == 1).all()


def test_a_square_owns_its_top_and_left_edges() -> None:
    points, faces = grid_mesh(1, 1)
    points = torch.cat([points * 2 + 1.5, torch.full((4, 1), 500.0)], -1)  # from centre (1.5, 1.5) to centre (3.5, 3.5)
    covered = rasterize(points[None], faces, 5, 5).triangle[0] >= 0
    expected = torch.zeros(5, 5, dtype=torch.bool)
    expected[1:3, 1:3] = True
    assert torch.equal(covered, expected)


def test_a_slanted_plane_is_perspective_correct() -> None:
    """The plane z = 400 + 2 X seen with focal length 100: depth and X at each pixel follow from its ray."""
    plane = torch.tensor([[-150.0, -150.0], [-150.0, 150.0], [150.0, 150.0], [150.0, -150.0]])
    camera = torch.cat([plane, 400 + 2 * plane[:, :1]], -1)
    points = torch.cat([camera[:, :2] * 100 / camera[:, 2:] + 16, camera[:, 2:]], -1)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    fragments = rasterize(points[None], faces, 32, 32)
    covered = fragments.triangle[0] >= 0
    slope = ((torch.arange(32) + 0.5 - 16) / 100).expand(32, 32)  # X / z of the pixel's ray
    depth = 400 / (1 - 2 * slope)
    assert covered.sum() > 300
    torch.testing.assert_close(fragments.depth[0][covered], depth[covered], rtol=1e-5, atol=0)
    position = interpolate(fragments, camera, faces)[0]
    torch.testing.assert_close(position[0][covered], (slope * depth)[covered], rtol=1e-4, atol=1e-3)
    assert (position[:, ~covered] == 0).all()


def test_the_nearer_triangle_hides_the_farther_and_equal_depth_goes_to_the_lower_index() -> None:
    shape = torch.tensor([[0.0, 0.0], [0.0, 20.0], [20.0, 0.0]])
    layers = [torch.cat([shape, torch.full((3, 1), depth)], -1) for depth in (500.0, 499.9, 499.9)]
    fragments = rasterize(torch.cat(layers)[None], torch.arange(9).view(3, 3), 8, 8)
    assert (fragments.triangle == 1).all()
    torch.testing.assert_close(fragments.depth, torch.full((1, 8, 8), 499.9))


@pytest.mark.parametrize(
    "points",
    [
        [[2, 2, 500], [8, 2, 500], [2, 8, 500]],  # from behind
        [[2, 2, 500], [2, 8, 500], [8, 2, 0.5]],  # a corner behind the near plane
        [[2, 2, 500], [2, 8, 500], [8, 2, -500]],
        [[2, 2, 500], [2, 8, 500], [float("nan"), 2, 500]],
        [[2, 2, 500], [2, 8, 500], [float("inf"), 2, 500]],
        [[2, 2, 500], [4, 4, 500], [8, 8, 500]],  # a line
        [[2, 2, 500], [2, 2, 500], [2, 2, 500]],  # a point
        [[20, 2, 500], [20, 8, 500], [28, 2, 500]],  # right of the image
        [[2, -20, 500], [2, -18, 500], [8, -20, 500]],  # above it
        [[2.6, 2.6, 500], [2.6, 3.4, 500], [3.4, 2.6, 500]],  # between the pixel centres
    ],
)
def test_what_cannot_be_drawn_leaves_the_image_empty(points: list[list[float]]) -> None:
    assert_empty(rasterize(torch.tensor([points]), FRONT, 10, 10))


def test_no_triangles_and_no_images() -> None:
    assert_empty(rasterize(torch.zeros(2, 3, 3), torch.zeros(0, 3, dtype=torch.int64), 10, 10))
    none = rasterize(torch.zeros(0, 3, 3), FRONT, 10, 10)
    assert none.triangle.shape == (0, 10, 10)
    assert none.barycentric.shape == (0, 10, 10, 3)


def assert_empty(fragments: Fragments) -> None:
    assert (fragments.triangle == -1).all()
    assert fragments.depth.isinf().all()
    assert (fragments.barycentric == 0).all()
    assert (interpolate(fragments, torch.ones(3, 2), FRONT) == 0).all()


def test_backfaces_are_drawn_on_request() -> None:
    points = torch.tensor([[[0.0, 0, 500], [20, 0, 500], [0, 20, 500]]])
    assert (rasterize(points, FRONT, 8, 8).triangle == -1).all()
    assert (rasterize(points, FRONT, 8, 8, cull_backfaces=False).triangle == 0).all()


def test_a_triangle_much_larger_than_the_image_fills_it() -> None:
    points = torch.tensor([[[-1e6, -1e6, 500], [-1e6, 3e6, 500], [3e6, -1e6, 500]]])
    assert (rasterize(points, FRONT, 16, 16).triangle == 0).all()


def test_a_batch_in_chunks_equals_its_images_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lit_reenact.rendering.rasterizer.CHUNK_PIXELS", 2 * 64 * 96)
    meshes = torch.stack([soup(seed)[0] for seed in range(5)])
    faces = soup(0)[1]
    batch = rasterize(meshes, faces, 64, 96)
    colours = torch.rand(5, meshes.shape[1], 4)
    images = interpolate(batch, colours, faces)
    for index in range(5):
        single = rasterize(meshes[index : index + 1], faces, 64, 96)
        assert torch.equal(batch.triangle[index], single.triangle[0])
        assert torch.equal(batch.barycentric[index], single.barycentric[0])
        assert torch.equal(batch.depth[index], single.depth[0])
        torch.testing.assert_close(images[index], interpolate(single, colours[index], faces)[0])


def test_the_covered_pixels_are_those_of_the_fragments() -> None:
    points, faces = soup(0)
    images = torch.stack([points, points + torch.tensor([5.0, 0, 0])])
    fragments, hits = rasterize(images, faces, 64, 96), find_hits(images, faces, 64, 96)
    covered = fragments.triangle.flatten() >= 0
    assert torch.equal(hits.pixel, covered.nonzero().squeeze(-1))
    assert torch.equal(hits.triangle, fragments.triangle.flatten()[covered])
    assert torch.equal(hits.barycentric, fragments.barycentric.flatten(0, 2)[covered])
    assert torch.equal(hits.depth, fragments.depth.flatten()[covered])


def test_hundreds_of_images_are_drawn_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    points, faces = soup(2, triangles=10)
    implementation = backend.kernels(points.device) or span_rasterizer
    at_once: list[int] = []
    draw = implementation.find_hits

    def counting(points: Tensor, *arguments: object) -> tuple[Tensor, ...]:
        at_once.append(len(points))
        return draw(points, *arguments)  # type: ignore[no-any-return]

    monkeypatch.setattr(implementation, "find_hits", counting)
    hits = find_hits(points.expand(600, -1, -1), faces, 64, 96)
    assert sum(at_once) == 600
    assert max(at_once) == images_per_chunk(64, 96, points.device) == 42
    image = hits.pixel // (64 * 96)
    assert torch.equal(image.unique(), torch.arange(600))
    assert (image.bincount() == len(hits.pixel) // 600).all()


def test_the_same_again() -> None:
    points, faces = soup(5)
    first, second = (rasterize(points[None], faces, 64, 96) for _ in range(2))
    assert torch.equal(first.triangle, second.triangle)
    assert torch.equal(first.barycentric, second.barycentric)


def test_interpolation_is_differentiable_in_the_attributes() -> None:
    points, faces = soup(0, triangles=20)
    fragments = rasterize(points[None], faces, 12, 12)
    attributes = torch.rand(1, len(points), 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: interpolate(fragments, a, faces), attributes)


@pytest.mark.gpu
def test_the_gpu_draws_what_the_cpu_draws() -> None:
    points, faces = soup(1)
    cpu, gpu = rasterize(points[None], faces, 64, 96), rasterize(points[None].cuda(), faces.cuda(), 64, 96)
    same = cpu.triangle == gpu.triangle.cpu()
    assert same.double().mean() >= 0.9995
    torch.testing.assert_close(gpu.depth.cpu()[same], cpu.depth[same], rtol=1e-4, atol=0)
