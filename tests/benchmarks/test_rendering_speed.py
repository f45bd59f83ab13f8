"""Time of one frame beside a plain loop over triangles in the same run. The tests report times and never fail on them."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from lit_reenact.core.geometry import head_to_camera, project
from lit_reenact.core.schema import Actor, Camera, FaceParameters
from lit_reenact.face import FaceModel, builtin_model, load_face_model
from lit_reenact.rendering import backend
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.rendering.rasterizer import rasterize

SIZE, FRAMES, GPU_FRAMES = 256, 8, 256
CAMERA = Camera(focal=4.5 * SIZE, width=SIZE, height=SIZE)


@pytest.fixture(scope="module", params=["builtin", pytest.param("ict_facekit", marks=pytest.mark.slow)])
def model(request: pytest.FixtureRequest) -> FaceModel:
    if request.param == "builtin":
        return builtin_model()
    folder: Path = request.getfixturevalue("shared_dir")
    return load_face_model(str(folder / "assets" / "ict_facekit.npz"))


@pytest.fixture(params=["torch", "numba"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "numba":
        pytest.importorskip("numba")
    monkeypatch.setattr(backend, "COMPILED", request.param == "numba")
    return str(request.param)


@pytest.fixture(scope="module")
def actor(model: FaceModel) -> Actor:
    rest = torch.zeros_like(model.identity_scale)
    return Actor(model.vertices, rest, torch.rand(3, 256, 256), model.eyeballs, torch.zeros(4), torch.zeros(0, 468, 3))


@pytest.fixture(scope="module")
def loop(model: FaceModel) -> tuple[Tensor, float]:
    """The first frame drawn by ``triangle_loop``, and its time in seconds."""
    start = time.perf_counter()
    index = triangle_loop(points_of(model)[0], model.faces)
    return index, time.perf_counter() - start


def parameters_of(model: FaceModel, frames: int = FRAMES) -> FaceParameters:
    """Return a head whose face fills about a quarter of the image."""
    illumination = torch.zeros(frames, 9, 3)
    illumination[:, 0] = math.sqrt(4 * math.pi)
    return FaceParameters(
        rotation=torch.linspace(-0.4, 0.4, frames)[:, None] * torch.tensor([0.0, 1.0, 0.0]),
        translation=torch.tensor([0.0, -20.0, 1100.0]).repeat(frames, 1),
        identity=torch.zeros(frames, len(model.identity_scale)),
        expression=torch.zeros(frames, len(model.expression_names)),
        illumination=illumination.flatten(1),
        gaze=torch.zeros(frames, 4),
    )


def points_of(model: FaceModel) -> Tensor:
    parameters = parameters_of(model)
    return project(head_to_camera(model.vertices, parameters.rotation, parameters.translation), CAMERA)


def triangle_loop(points: Tensor, faces: Tensor) -> Tensor:
    """Draw one image triangle by triangle, each within its bounding box: index of the nearest triangle, (H, W)."""
    index = torch.full((SIZE, SIZE), -1)
    depth = torch.full((SIZE, SIZE), torch.inf)
    for number, (a, b, c) in enumerate(points[faces]):
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        if area >= 0:
            continue
        corners = torch.stack([a, b, c])
        low = corners[:, :2].amin(0).floor().long().clamp(0, SIZE).tolist()
        high = corners[:, :2].amax(0).ceil().long().clamp(0, SIZE).tolist()
        box = (slice(low[1], high[1]), slice(low[0], high[0]))
        y, x = torch.meshgrid(torch.arange(low[1], high[1]) + 0.5, torch.arange(low[0], high[0]) + 0.5, indexing="ij")
        edges = ((b, c), (c, a), (a, b))
        weights = [((q[0] - p[0]) * (y - p[1]) - (x - p[0]) * (q[1] - p[1])) / area for p, q in edges]
        z = 1 / sum((w / corner[2] for w, corner in zip(weights, corners, strict=True)), torch.zeros(()))
        nearer = (torch.stack(weights) >= 0).all(0) & (z < depth[box])
        index[box] = torch.where(nearer, number, index[box])
        depth[box] = torch.where(nearer, z, depth[box])
    return index


def test_rasterizer(
    benchmark: BenchmarkFixture,
    model: FaceModel,
    implementation: str,
    loop: tuple[Tensor, float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    fragments = benchmark(rasterize, points_of(model), model.faces, SIZE, SIZE)
    assert (fragments.triangle[0] == loop[0]).double().mean() > 0.999
    report(benchmark, f"{model.name}, mesh alone, {implementation}", loop[1], capsys)


def test_conditioning_images(
    benchmark: BenchmarkFixture,
    model: FaceModel,
    actor: Actor,
    implementation: str,
    loop: tuple[Tensor, float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    images = benchmark(ConditioningRenderer(model, actor, CAMERA), parameters_of(model))
    assert images.shape == (FRAMES, 9, SIZE, SIZE)
    report(benchmark, f"{model.name}, three images, {implementation}", loop[1], capsys)


@pytest.mark.gpu
def test_conditioning_images_on_a_gpu(
    benchmark: BenchmarkFixture, model: FaceModel, actor: Actor, capsys: pytest.CaptureFixture[str]
) -> None:
    renderer = ConditioningRenderer(model, actor, CAMERA).to("cuda")
    parameters = parameters_of(model, GPU_FRAMES).to("cuda")

    def draw() -> Tensor:
        images = renderer(parameters)
        torch.cuda.synchronize()
        return images

    assert benchmark(draw).is_cuda
    if benchmark.stats is not None:
        with capsys.disabled():
            sys.stdout.write(f"\n{model.name}: {GPU_FRAMES / benchmark.stats.stats.median:.0f} frames a second\n")


def report(benchmark: BenchmarkFixture, what: str, loop: float, capsys: pytest.CaptureFixture[str]) -> None:
    """Print the time of one frame, and its ratio to the time of a loop over triangles for the geometry alone."""
    if benchmark.stats is None:  # --benchmark-disable
        return
    frame = benchmark.stats.stats.median / FRAMES
    benchmark.extra_info["loop_over_frame"] = loop / frame
    with capsys.disabled():
        sys.stdout.write(
            f"\n{what}: {1000 * frame:.2f} ms a {SIZE}x{SIZE} frame; "
            f"a loop over triangles {1000 * loop:.0f} ms, {loop / frame:.0f} times that\n"
        )
