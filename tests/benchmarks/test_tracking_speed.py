"""Frames per second of tracking a real clip, beside those of finding its landmarks alone, which nobody can do without."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lit_reenact.landmarks import detect
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.tracker import track_video
from lit_reenact.video import iterate_frames, probe

ICT = "assets/ict_facekit.npz"


@pytest.mark.slow
@pytest.mark.parametrize("face_model", ["builtin", ICT])
def test_tracking(
    benchmark: BenchmarkFixture, shared_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], face_model: str
) -> None:
    """Video to finished track with its report: landmarks, working clip, shape, light and reflectance."""
    if benchmark.disabled:
        pytest.skip("measures speed: run it with --benchmark-enable")
    video = shared_dir / "videos" / "d9.mp4"
    settings = TrackerSettings(face_model=face_model if face_model == "builtin" else str(shared_dir / face_model))
    frames = probe(video).frame_count
    start = time.perf_counter()
    detect(iterate_frames(video), frames, None)
    landmarks_alone = time.perf_counter() - start
    benchmark.pedantic(track_video, args=(video, tmp_path, settings), kwargs={"progress": False}, rounds=1)
    seconds = benchmark.stats.stats.total
    with capsys.disabled():
        print(
            f"\ntracking with {Path(face_model).name}: {frames / seconds:.1f} frames/s, "
            f"{seconds / landmarks_alone:.2f} times the landmarks alone ({frames / landmarks_alone:.1f} frames/s)"
        )
