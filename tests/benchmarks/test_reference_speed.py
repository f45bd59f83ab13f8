"""Time of a frame's maps to four reference frames beside four warps by the mesh. It never fails on a time."""

from __future__ import annotations

import sys
import time

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from lit_reenact.core.schema import Camera
from lit_reenact.face import builtin_model
from lit_reenact.rendering import backend
from lit_reenact.rendering.mesh_warp import MeshWarp
from lit_reenact.rendering.reference_maps import MAP_SIZE, ReferenceWarp
from tests.factories import make_actor, make_parameters

FRAMES, REFERENCES = 8, 4
CAMERA = Camera(focal=4.5 * 256, width=256, height=256)


@pytest.mark.parametrize("implementation", ["torch", "numba"])
def test_maps_to_references(
    benchmark: BenchmarkFixture, implementation: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if implementation == "numba":
        pytest.importorskip("numba")
    monkeypatch.setattr(backend, "COMPILED", implementation == "numba")
    model = builtin_model()
    actor, parameters = make_actor(model), make_parameters(model, FRAMES + REFERENCES)
    wanted, references = parameters[:FRAMES], parameters[FRAMES:]
    maps = benchmark(ReferenceWarp(model, actor, CAMERA, references), wanted)
    assert maps.flow.shape == (FRAMES, REFERENCES, 2, MAP_SIZE, MAP_SIZE)
    if benchmark.stats is None:  # --benchmark-disable
        return
    warp, frames = MeshWarp(model, actor, CAMERA), torch.zeros(FRAMES, MAP_SIZE, MAP_SIZE, 3, dtype=torch.uint8)
    warp(frames, wanted, wanted)  # the first call compiles
    start = time.perf_counter()
    for k in range(REFERENCES):
        warp(frames, references[torch.full((FRAMES,), k)], wanted)
    separately = (time.perf_counter() - start) / FRAMES
    frame = benchmark.stats.stats.median / FRAMES
    benchmark.extra_info["mesh_warps_over_maps"] = separately / frame
    with capsys.disabled():
        sys.stdout.write(
            f"\n{implementation}: maps to {REFERENCES} references {1000 * frame:.2f} ms a frame; "
            f"{REFERENCES} mesh warps at {MAP_SIZE}x{MAP_SIZE} {1000 * separately:.2f} ms, {separately / frame:.1f} times that\n"
        )
