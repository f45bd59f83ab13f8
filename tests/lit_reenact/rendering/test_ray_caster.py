"""The rasterizer against rays in float64, one through every pixel's centre, against every triangle."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from lit_reenact.core.geometry import head_to_camera, matrix_to_axis_angle, project
from lit_reenact.core.schema import Actor, Camera, FaceParameters
from lit_reenact.face import FaceModel, builtin_model
from lit_reenact.face.topology import SKIN
from lit_reenact.landmarks.detection import detect
from lit_reenact.rendering.rasterizer import Fragments, interpolate, rasterize
from lit_reenact.tracking.crop import choose_crop, to_clip
from lit_reenact.tracking.footage import Footage
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import fit_landmarks
from lit_reenact.tracking.smoothing import Timing

pytestmark = pytest.mark.usefixtures("implementation")

Doubles = npt.NDArray[np.float64]


def cast(vertices: Doubles, faces: npt.NDArray[np.int64], camera: Camera) -> tuple[npt.NDArray[np.int64], Doubles, Doubles]:
    """Find the nearest hit of the ray through each pixel's centre (Moeller and Trumbore 1997), without back faces.

    Args:
        vertices: (V, 3) camera axes.
        faces: (F, 3).
        camera: at the origin.

    Returns:
        Of each pixel the triangle or -1, (H, W), the depth, inf where empty, (H, W), and the weights of its corners (H, W, 3).
    """
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    ray = np.stack([(x - camera.width / 2) / camera.focal, (y - camera.height / 2) / camera.focal, np.ones_like(x)], -1)
    ray = ray.reshape(-1, 3)  # (P, 3), one mm of depth
    a, b, c = vertices[faces].transpose(1, 0, 2)
    first, second = b - a, c - a
    facing = np.cross(first, second)
    triangle, depth = np.full(len(ray), -1), np.full(len(ray), np.inf)
    weights = np.zeros((len(ray), 3))
    for rows in np.array_split(np.arange(len(ray)), max(1, len(ray) * len(faces) // 2_000_000)):
        towards = ray[rows]
        volume = -towards @ facing.T  # (P, F), positive where the ray meets the front
        with np.errstate(divide="ignore", invalid="ignore"):
            u = towards @ np.cross(a, second).T / volume
            v = towards @ np.cross(first, a).T / volume
            distance = -(a * facing).sum(-1) / volume
        met = (volume > 0) & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0)
        distance = np.where(met, distance, np.inf)
        nearest = distance.argmin(1)
        of_each = np.arange(len(rows)), nearest
        depth[rows] = distance[of_each]
        triangle[rows] = np.where(np.isfinite(depth[rows]), nearest, -1)
        corners = np.stack([1 - u[of_each] - v[of_each], u[of_each], v[of_each]], -1)
        weights[rows] = np.where(np.isfinite(depth[rows])[:, None], corners, 0)
    shape = (camera.height, camera.width)
    return triangle.reshape(shape), depth.reshape(shape), weights.reshape(*shape, 3)


def seen(vertices: Tensor, camera: Camera) -> Tensor:
    return project(vertices.double(), camera).float()


def compare(fragments: Fragments, vertices: Tensor, faces: Tensor, camera: Camera) -> tuple[int, int]:
    """Compare mask, depths and weights of all images with the rays; count covered pixels, and those of the same triangle."""
    covered = agreed = 0
    for image, points in enumerate(vertices):
        triangle, depth, weights = cast(points.double().numpy(), faces.numpy(), camera)
        found = fragments.triangle[image].numpy()
        assert np.array_equal(found >= 0, triangle >= 0)
        same = (found == triangle) & (found >= 0)
        np.testing.assert_allclose(fragments.depth[image].numpy()[same], depth[same], rtol=2e-5)
        np.testing.assert_allclose(fragments.barycentric[image].numpy()[same], weights[same], atol=2e-3)
        assert np.abs(fragments.barycentric[image].numpy()[same] - weights[same]).mean() < 2e-5
        covered, agreed = covered + int((found >= 0).sum()), agreed + int(same.sum())
    return covered, agreed


SCENE = Camera(focal=110.0, width=96, height=64)


def soup(seed: int, triangles: int = 250) -> tuple[Tensor, Tensor]:
    """Return triangles that cut through each other, from slivers to some larger than the image."""
    random = torch.Generator().manual_seed(seed)
    centre = torch.tensor([-250.0, -180.0, 300.0]) + torch.rand(triangles, 1, 3, generator=random) * torch.tensor(
        [500.0, 360.0, 400]
    )
    size = 80 * torch.rand(triangles, 1, 1, generator=random) ** 2
    corners = centre + size * torch.randn(triangles, 3, 3, generator=random)
    third = triangles // 3
    along = torch.rand(third, 1, generator=random)
    corners[:third, 2] = torch.lerp(corners[:third, 0], corners[:third, 1], along) + 0.05 * torch.randn(
        third, 3, generator=random
    )
    return corners.flatten(0, 1), torch.arange(3 * triangles).view(-1, 3)


def sheets(seed: int) -> tuple[Tensor, Tensor]:
    """Return two crumpled sheets of triangles with shared edges, one through the other."""
    random = torch.Generator().manual_seed(seed)
    side = 14
    y, x = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing="ij")
    corner = (torch.arange(side - 1)[:, None] * side + torch.arange(side - 1)).flatten()
    faces = torch.cat(
        [torch.stack([corner, corner + side, corner + 1], 1), torch.stack([corner + 1, corner + side, corner + side + 1], 1)]
    )
    sheet = torch.stack([x * 150, y * 100, torch.zeros_like(x)], -1).view(-1, 3)
    meshes = [sheet + 12 * torch.randn(sheet.shape, generator=random) + torch.tensor([0.0, 0.0, 400.0]) for _ in range(2)]
    return torch.cat(meshes), torch.cat([faces, faces + len(sheet)])


@pytest.mark.parametrize("scene", [soup, sheets])
def test_random_meshes(scene: Callable[[int], tuple[Tensor, Tensor]]) -> None:
    meshes = [scene(seed) for seed in range(6)]
    vertices, faces = torch.stack([mesh for mesh, _ in meshes]), meshes[0][1]
    fragments = rasterize(seen(vertices, SCENE), faces, SCENE.height, SCENE.width)
    covered, agreed = compare(fragments, vertices, faces, SCENE)
    assert covered > 10_000
    assert agreed >= 0.9999 * covered


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


def moving(model: FaceModel, frames: int) -> FaceParameters:
    """Return random heads, expressions and identities."""
    random = torch.Generator().manual_seed(3)
    low, high = model.expression_bounds.unbind(1)
    light = torch.zeros(frames, 27)
    light[:, :3] = 3
    return FaceParameters(
        rotation=0.3 * torch.randn(frames, 3, generator=random),
        translation=torch.tensor([0.0, 0.0, 1000.0]) + 20 * torch.randn(frames, 3, generator=random),
        identity=model.identity_scale * torch.randn(frames, len(model.identity_scale), generator=random),
        expression=low + torch.rand(frames, len(low), generator=random) * (high - low) * 0.4,
        illumination=light,
        gaze=torch.zeros(frames, 4),
    )


def person(model: FaceModel) -> Actor:
    nothing = torch.zeros(0, 468, 3)
    return Actor(
        model.vertices, torch.zeros_like(model.identity_scale), torch.rand(3, 64, 64), model.eyeballs, torch.zeros(4), nothing
    )


def test_moving_faces(model: FaceModel) -> None:
    camera = Camera(focal=4.5 * 128, width=128, height=128)
    parameters = moving(model, 3)
    vertices = head_to_camera(model.mesh(person(model), parameters), parameters.rotation, parameters.translation)
    fragments = rasterize(seen(vertices, camera), model.faces, camera.height, camera.width)
    covered, agreed = compare(fragments, vertices, model.faces, camera)
    assert covered > 15_000
    assert agreed >= 0.9999 * covered


TRACKED = Camera(focal=4.5 * 128, width=128, height=128)


@pytest.fixture(scope="module")
def tracked(model: FaceModel, shared_dir: Path) -> Tensor:
    """Return the vertices (3, V, 3), camera axes, of a real face as its landmarks place it in frames of a clip."""
    with av.open(shared_dir / "videos" / "d9.mp4") as video:
        frames = [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in islice(video.decode(video=0), 24)]
    found = detect(frames, None, None)
    landmarks = to_clip(found, choose_crop(found, frames[0].shape[1], frames[0].shape[0], 2.0), TRACKED.width).points
    always = torch.ones(len(frames), dtype=torch.bool)
    timing = Timing(always, always, ~always, 25.0, len(frames))
    fit = fit_landmarks(Footage(landmarks, timing, model, TRACKED, TrackerSettings()))
    some = slice(None, None, 10)
    mesh = fit.neutral + torch.tensordot(fit.state.expression[some], model.expression_basis, dims=1)
    vertices = head_to_camera(mesh, matrix_to_axis_angle(fit.state.rotation[some]), fit.state.translation[some])
    off = (project(model.at_landmarks(vertices), TRACKED)[..., :2] - landmarks[some, :468, :2]).norm(dim=-1)
    assert off.mean() < 1  # it is that face
    return vertices


def test_a_tracked_face(model: FaceModel, tracked: Tensor) -> None:
    fragments = rasterize(seen(tracked, TRACKED), model.faces, TRACKED.height, TRACKED.width)
    covered, agreed = compare(fragments, tracked, model.faces, TRACKED)
    assert covered > 10_000
    assert agreed >= 0.9999 * covered


def test_landmarks_fall_on_their_vertices(model: FaceModel) -> None:
    parameters = moving(model, 4).replace(identity=torch.zeros(4, len(model.identity_scale)))
    vertices = head_to_camera(model.mesh(person(model), parameters), parameters.rotation, parameters.translation)
    distances = landmark_distances(model, vertices, Camera(focal=4.5 * 256, width=256, height=256))
    assert len(distances) > 400
    assert max(distances) < 0.5


def test_landmarks_of_a_tracked_face_fall_on_their_vertices(model: FaceModel, tracked: Tensor) -> None:
    """Landmarks beside which colours turn within a pixel, like on the lids of this small face, are left out."""
    distances = landmark_distances(model, tracked, Camera(focal=4.5 * 256, width=256, height=256), most_bent=1 / 3)
    assert len(distances) > 400
    assert max(distances) < 0.5


def landmark_distances(model: FaceModel, vertices: Tensor, camera: Camera, most_bent: float = np.inf) -> list[float]:
    """Return the distances of visible landmarks' colours from their projections, to first order in the colours around.

    Args:
        most_bent: landmarks are left out where the second order in the colours is more than this part of the first.
    """
    fragments = rasterize(seen(vertices, camera), model.faces, camera.height, camera.width)
    colours, depth = interpolate(fragments, model.correspondence.double(), model.faces), fragments.depth
    skin = torch.cat([model.region == SKIN, torch.tensor([False])])[fragments.triangle]  # -1, no triangle, is the last
    places = project(model.at_landmarks(vertices), camera)
    expected = model.at_landmarks(model.correspondence).double()
    distances = []
    for frame, points in enumerate(places):
        for (x, y, z), colour in zip(points.tolist(), expected, strict=True):
            column, row = int(x), int(y)
            if not (0 < column < camera.width - 1 and 0 < row < camera.height - 1):
                continue
            around = (frame, slice(row - 1, row + 2), slice(column - 1, column + 2))
            if not skin[around].all() or (depth[around] - z).abs().max() > 2:
                continue  # hidden, or beside an edge
            patch = colours[(frame, slice(None), *around[1:])]  # (3, 3, 3)
            slope = torch.stack([patch[:, 1, 2] - patch[:, 1, 0], patch[:, 2, 1] - patch[:, 0, 1]], -1) / 2  # by x and y
            bend = torch.stack([patch[:, 1].diff(dim=1).diff(dim=1)[:, 0], patch[:, :, 1].diff(dim=1).diff(dim=1)[:, 0]], -1) / 2
            if bend.norm() > slope.norm() * most_bent:
                continue
            offset = torch.linalg.lstsq(slope, (colour - patch[:, 1, 1])[:, None]).solution[:, 0]
            centre = torch.tensor([column + 0.5 - x, row + 0.5 - y], dtype=torch.float64)
            distances.append(float((offset + centre).abs().max()))
    return distances
