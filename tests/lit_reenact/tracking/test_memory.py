"""Tracking takes no more memory for a long clip than for a short one."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from tests.video_files import write_video

MEGABYTE_PER_FRAME = 0.25
"""A whole frame of this clip is 0.9: none may be kept."""


def peak_memory(video: Path, folder: Path) -> float:
    """Peak of the anonymous memory of `lit-reenact track`, MB."""
    words = [sys.executable, "-m", "lit_reenact.cli", "track", str(video), "-o", str(folder), "--size", "128"]
    peak = 0
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")), 0)
            time.sleep(0.02)
        assert process.returncode == 0
    return peak / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_memory_is_flat_over_the_length_of_a_clip(tmp_path: Path) -> None:
    scene = np.full((480, 640, 3), 90, dtype=np.uint8)
    face = cv2.resize(astronaut()[:256, 96:352], (400, 400), interpolation=cv2.INTER_CUBIC)
    frames = []
    for k in range(60):
        frame = scene.copy()
        x = 120 + round(30 * np.sin(2 * np.pi * k / 60))
        frame[40:440, x : x + 400] = face
        frames.append(frame)
    peaks = {}
    for count in (120, 840):
        video = write_video(tmp_path / f"{count}.mp4", frames * (count // 60))
        peaks[count] = peak_memory(video, tmp_path / "tracks")
    assert peaks[840] < 3000
    assert peaks[840] - peaks[120] < (840 - 120) * MEGABYTE_PER_FRAME, peaks
