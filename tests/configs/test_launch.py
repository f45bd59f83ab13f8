"""Launch files, run with stand-ins for the cluster's commands, and where SLURM is installed with a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

from tests.slurm import private_slurm
from tests.video_files import write_video

REPOSITORY = Path(__file__).resolve().parents[2]
TRACK_ARRAY = REPOSITORY / "sweeps" / "launch" / "track_array.sbatch"


def launch(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the launch file where ``srun`` only says with which words it was called."""
    srun = folder / "srun"
    srun.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    srun.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(TRACK_ARRAY), *arguments],
        env={**os.environ, "PATH": path, **environment},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("shards", "expected"), [({}, "3/8"), ({"SHARDS": "12"}, "3/12")])
def test_a_task_tracks_its_shard(tmp_path: Path, shards: dict[str, str], expected: str) -> None:
    task = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MAX": "8", "SLURM_CPUS_PER_TASK": "4"}
    done = launch(tmp_path, "my videos.txt", "/data/tracks", "--size", "512", **task, **shards)
    assert done.stdout.splitlines() == [
        *("lit-reenact", "track", "--manifest", "my videos.txt", "--output", "/data/tracks"),
        *("--shard", expected, "--jobs", "4", "--size", "512"),
    ]


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    done = launch(tmp_path, SLURM_ARRAY_TASK_ID="1", SLURM_ARRAY_TASK_MAX="1")
    assert done.returncode != 0
    assert "name the manifest" in done.stderr


def portrait_video(path: Path, shift: int) -> Path:
    photograph = astronaut()
    moves = [round(6 * np.sin((k + shift) / 5)) for k in range(15)]
    return write_video(path, [np.ascontiguousarray(photograph[:256, 96 + m : 352 + m]) for m in moves])


@pytest.mark.slurm
@pytest.mark.slow
def test_an_array_of_two_tasks_tracks_a_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first task meets a bad file, tracks the other one and counts as failed; submitted again, it skips what is done."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for number, name in enumerate(("anna", "beth")):
        portrait_video(tmp_path / f"{name}.mp4", shift=number)
    (tmp_path / "bad.mp4").write_text("no video")
    manifest = tmp_path / "videos.txt"
    manifest.write_text("anna.mp4\nbeth.mp4\nbad.mp4\n")
    tracks = tmp_path / "tracks"
    words = [f"--output={tmp_path}/log-%a.txt", str(TRACK_ARRAY), str(manifest), str(tracks), "--size", "64"]
    (tmp_path / "slurm").mkdir()
    with private_slurm(tmp_path / "slurm") as slurm:
        job = slurm.submit("--array=1-2", *words, cwd=REPOSITORY)
        slurm.wait(job, seconds=500)
        logs = {task: (tmp_path / f"log-{task}.txt").read_text() for task in (1, 2)}
        assert {task: slurm.state(f"{job}_{task}") for task in (1, 2)} == {1: "FAILED", 2: "COMPLETED"}, logs
        assert "1 tracked, 0 skipped, 1 failed" in logs[1]
        assert "lit-reenact: " in logs[1]
        assert "bad.mp4 is not a video" in logs[1].rpartition("lit-reenact: ")[2]
        assert "1 tracked, 0 skipped, 0 failed" in logs[2]
        assert {path.parent.name for path in tracks.glob("*/track.safetensors")} == {"anna", "beth"}

        monkeypatch.setenv("SHARDS", "2")
        (tmp_path / "log-2.txt").unlink()
        slurm.wait(slurm.submit("--array=2", *words, cwd=REPOSITORY), seconds=300)
        assert "0 tracked, 1 skipped, 0 failed" in (tmp_path / "log-2.txt").read_text()
