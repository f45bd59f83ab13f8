"""Tracking takes no more memory for a long clip than for a short one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from tests.video_files import write_video

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc"),
]

LENGTHS = (120, 840)
"""Frames of the two videos."""


def peak_memory(*words: str) -> float:
    """Return the peak of the anonymous memory (MB) of a Python process with these arguments."""
    peak = 0
    # glibc keeps freed memory for later, for every thread again; it must return it so that the memory in use can be seen.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "100000", "MALLOC_TRIM_THRESHOLD_": "0"}
    command = [sys.executable, *words]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")), 0)
            time.sleep(0.02)
        assert process.returncode == 0
    return peak / 1024


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Videos of a swaying face in 720p; a frame has 2.8 MB."""
    folder = tmp_path_factory.mktemp("memory")
    scene = np.full((720, 1280, 3), 90, dtype=np.uint8)
    face = cv2.resize(astronaut()[:256, 96:352], (600, 600), interpolation=cv2.INTER_CUBIC)
    frames = []
    for k in range(60):
        frame = scene.copy()
        x = 300 + round(30 * np.sin(2 * np.pi * k / 60))
        frame[60:660, x : x + 600] = face
        frames.append(frame)
    return {count: write_video(folder / f"{count}.mp4", frames * (count // 60)) for count in LENGTHS}


PREPARE = """
import sys
from pathlib import Path
from lit_reenact.tracking.working_clip import prepare
prepare(Path(sys.argv[1]), Path(sys.argv[2]) / "clip.mp4", size=128, progress=False)
"""


def test_memory_of_the_two_passes(videos: dict[int, Path], tmp_path: Path) -> None:
    """Landmarks take 6 kB a frame, with some temporary copies; small arrays between large frames would cost 100 kB."""
    short, long = (peak_memory("-c", PREPARE, str(videos[count]), str(tmp_path / str(count))) for count in LENGTHS)
    assert long - short < 0.05 * (LENGTHS[1] - LENGTHS[0]), (short, long)


def test_memory_of_the_whole_command(videos: dict[int, Path], tmp_path: Path) -> None:
    """Less than a tenth of each frame stays in memory."""
    track = ("-m", "lit_reenact.commands.main", "track", "--size", "128", "-o", str(tmp_path))
    short, long = (peak_memory(*track, str(videos[count])) for count in LENGTHS)
    assert long < 3000
    assert long - short < 0.25 * (LENGTHS[1] - LENGTHS[0]), (short, long)
