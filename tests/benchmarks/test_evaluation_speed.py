"""An evaluation with the networks that come with the package against one without them.

Printed, never failing on time. Processor time of the same run, at 256 pixels; at most 2.5 times is wanted.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lit_reenact.evaluation.candidates import Candidate
from lit_reenact.evaluation.evaluate import evaluate
from lit_reenact.evaluation.heldout import held_out_split
from lit_reenact.tracking.tracked_clip import TrackedClip
from tests.factories import make_track


@pytest.mark.slow
def test_networks(benchmark: BenchmarkFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if benchmark.disabled:
        pytest.skip("measures speed: run it with --benchmark-enable")
    make_track(tmp_path, frames=120, size=256)
    clip = TrackedClip.load(tmp_path)
    split = held_out_split(clip)
    candidate = Candidate("mirrored frames", split, clip.read(split.test, 256).flip(2))

    def seconds(with_networks: bool) -> float:
        start = time.process_time()
        evaluate(clip, candidate, progress=False, with_networks=with_networks)
        return time.process_time() - start

    seconds(with_networks=True)  # loads the weights
    without = seconds(with_networks=False)
    with_networks = benchmark.pedantic(lambda: seconds(with_networks=True), rounds=1)
    with capsys.disabled():
        ratio = with_networks / without
        print(f"\n{len(split.test)} held-out frames: {without:.1f} s, {with_networks:.1f} s with networks: {ratio:.2f} times")
