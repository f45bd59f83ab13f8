"""Frames per second of tracking a real clip, compared with detecting its landmarks alone."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lit_reenact.landmarks.detection import detect
from lit_reenact.video import iterate_frames, probe

ICT = "assets/ict_facekit.npz"


@pytest.mark.slow
@pytest.mark.parametrize("face_model", ["builtin", ICT])
def test_tracking(
    benchmark: BenchmarkFixture, shared_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], face_model: str
) -> None:
    """Measure the whole command, from the start of Python to the report."""
    if benchmark.disabled:
        pytest.skip("measures speed: run it with --benchmark-enable")
    video = shared_dir / "videos" / "d9.mp4"
    model = face_model if face_model == "builtin" else str(shared_dir / face_model)
    frames = probe(video).frame_count
    start = time.perf_counter()
    detect(iterate_frames(video), frames, None)
    landmarks_alone = time.perf_counter() - start
    command = [sys.executable, "-m", "lit_reenact.commands.main", "track", str(video), "-o", str(tmp_path), "--face-model", model]
    before = _processor_seconds()
    benchmark.pedantic(subprocess.run, args=(command,), kwargs={"check": True, "capture_output": True}, rounds=1)
    seconds, processor = benchmark.stats.stats.total, _processor_seconds() - before
    with capsys.disabled():
        print(
            f"\ntracking with {Path(face_model).name}: {frames / seconds:.1f} frames/s ({processor:.1f} s of processor time), "
            f"{seconds / landmarks_alone:.2f} times the landmarks alone ({frames / landmarks_alone:.1f} frames/s)"
        )


def _processor_seconds() -> float:
    """Return the processor time of finished child processes so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
