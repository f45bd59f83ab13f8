"""Launch files, run with stand-ins for the cluster's commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

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
