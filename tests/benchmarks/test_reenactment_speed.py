"""Frames per second from parameters to frames, for whole tracks and live, compared with the network alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
import yaml
from pytest_benchmark.fixture import BenchmarkFixture

from lit_reenact.live.puppet import Puppet
from lit_reenact.synthesis import target_renderer
from lit_reenact.synthesis.inference import render_frames
from tests.factories import make_module, make_track

CONFIGS = Path(__file__).parents[2] / "configs"
FRAMES = 24


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("config", ["fast", "paper"])
def test_reenactment(
    benchmark: BenchmarkFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str], config: str, precision: str
) -> None:
    """An untrained network takes as long as a trained one."""
    if benchmark.disabled:
        pytest.skip("measures speed: run it with --benchmark-enable")
    settings = yaml.safe_load((CONFIGS / f"{config}.yaml").read_text())["model"]
    generator = make_module(settings).generator.eval()
    if precision == "bfloat16":
        generator.to_bfloat16()
    track = make_track(tmp_path, frames=FRAMES, size=generator.image_size)
    renderer, puppet = target_renderer(track, generator), Puppet(track, generator)
    window = torch.zeros(1, generator.shape.length * 9, generator.image_size, generator.image_size)

    def whole() -> None:
        for _ in render_frames(generator, renderer, track.parameters):
            pass

    def live() -> None:
        for number in range(FRAMES):
            puppet.add_frame(track.parameters[number : number + 1])
            puppet.generate()

    @torch.inference_mode()
    def alone() -> None:
        for _ in range(FRAMES):
            generator(window)

    rates = []
    for name, work in {"whole tracks": whole, "live": live, "network alone": alone}.items():
        start, processor = time.perf_counter(), time.process_time()
        work()
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
        rates.append(f"{name} {FRAMES / seconds:.1f} frames/s ({1000 * processor / FRAMES:.0f} ms of processor time a frame)")
    benchmark.pedantic(whole, rounds=1)
    with capsys.disabled():
        print(f"\n{config}, {precision}: {'; '.join(rates)}")
