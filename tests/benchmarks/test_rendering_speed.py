"""How long one frame takes; printed beside a plain loop over triangles from the same run, never failing on time."""

from __future__ import annotations

import math
import sys
import time

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from lit_reenact.face import builtin_model
from lit_reenact.geometry import head_to_camera, project
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.rendering.rasterizer import rasterize
from lit_reenact.schema import Actor, Camera, FaceParameters

SIZE, FRAMES = 256, 8
CAMERA = Camera(focal=4.5 * SIZE, width=SIZE, height=SIZE)


@pytest.fixture(scope="module")
def parameters() -> FaceParameters:
    """A face that fills about a quarter of the image."""
    model = builtin_model()
    illumination = torch.zeros(FRAMES, 9, 3)
    illumination[:, 0] = math.sqrt(4 * math.pi)
    return FaceParameters(
        rotation=torch.linspace(-0.4, 0.4, FRAMES)[:, None] * torch.tensor([0.0, 1.0, 0.0]),
        translation=torch.tensor([0.0, -20.0, 1100.0]).repeat(FRAMES, 1),
        identity=torch.zeros(FRAMES, len(model.identity_scale)),
        expression=torch.zeros(FRAMES, len(model.expression_names)),
        illumination=illumination.flatten(1),
        gaze=torch.zeros(FRAMES, 4),
    )


@pytest.fixture(scope="module")
def points(parameters: FaceParameters) -> Tensor:
    model = builtin_model()
    return project(head_to_camera(model.vertices, parameters.rotation, parameters.translation), CAMERA)


def triangle_loop(points: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """One image the plain way, a triangle at a time within its bounding box: index and depth (H, W)."""
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
    return index, depth


def test_rasterizer(benchmark: BenchmarkFixture, points: Tensor, capsys: pytest.CaptureFixture[str]) -> None:
    faces = builtin_model().faces
    start = time.perf_counter()
    index, _ = triangle_loop(points[0], faces)
    loop = time.perf_counter() - start
    fragments = benchmark(rasterize, points, faces, SIZE, SIZE)
    assert (fragments.triangle[0] == index).double().mean() > 0.999
    report(benchmark, loop, capsys)


def test_conditioning_images(
    benchmark: BenchmarkFixture, parameters: FaceParameters, points: Tensor, capsys: pytest.CaptureFixture[str]
) -> None:
    model = builtin_model()
    actor = Actor(
        model.vertices,
        torch.zeros_like(model.identity_scale),
        torch.rand(3, 256, 256),
        model.eyeballs,
        torch.zeros(4),
        torch.zeros(0, 468, 3),
    )
    start = time.perf_counter()
    triangle_loop(points[0], model.faces)
    loop = time.perf_counter() - start
    images = benchmark(ConditioningRenderer(model, actor, CAMERA), parameters)
    assert images.shape == (FRAMES, 9, SIZE, SIZE)
    report(benchmark, loop, capsys)


def report(benchmark: BenchmarkFixture, loop: float, capsys: pytest.CaptureFixture[str]) -> None:
    """Print the time of one frame, and how many times longer a loop over triangles takes for its geometry alone."""
    if benchmark.stats is None:  # --benchmark-disable
        return
    frame = benchmark.stats.stats.median / FRAMES
    benchmark.extra_info["loop_over_frame"] = loop / frame
    text = (
        f"{1000 * frame:.2f} ms a {SIZE}x{SIZE} frame; a loop over triangles {1000 * loop:.0f} ms, {loop / frame:.0f} times that"
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")
