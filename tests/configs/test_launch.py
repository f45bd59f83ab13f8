"""Launch files, run with stand-ins for the cluster's commands, and where SLURM is installed with a real one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

from lit_reenact.training.run_folder import RunFolder, joined_curves
from tests.factories import make_track
from tests.slurm import private_slurm
from tests.video_files import write_video

REPOSITORY = Path(__file__).resolve().parents[2]
LAUNCH = REPOSITORY / "sweeps" / "launch"
TRACK_ARRAY = LAUNCH / "track_array.sbatch"
JOB = {"SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS_PER_NODE": "4", "SLURM_CPUS_PER_TASK": "3"}


SAY = 'for word in "$@"; do echo "$word"; done'


def stand_in(folder: Path, program: str, script: str = SAY) -> None:
    """A program that by default only says with which words it was called."""
    (folder / program).write_text(f"#!/bin/bash\n{script}\n")
    (folder / program).chmod(0o755)


def launch(file: Path, folder: Path, *arguments: str, srun: str = SAY, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a launch file in a folder, with the stand-ins that are there and one for ``srun``."""
    stand_in(folder, "srun", srun)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(file), *arguments],
        env={**os.environ, "PATH": path, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("shards", "expected"), [({}, "3/8"), ({"SHARDS": "12"}, "3/12")])
def test_a_task_tracks_its_shard(tmp_path: Path, shards: dict[str, str], expected: str) -> None:
    task = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MAX": "8", "SLURM_CPUS_PER_TASK": "4"}
    done = launch(TRACK_ARRAY, tmp_path, "my videos.txt", "/data/tracks", "--size", "512", **task, **shards)
    assert done.stdout.splitlines() == [
        *("lit-reenact", "track", "--manifest", "my videos.txt", "--output", "/data/tracks"),
        *("--shard", expected, "--jobs", "4", "--size", "512"),
    ]


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    done = launch(TRACK_ARRAY, tmp_path, SLURM_ARRAY_TASK_ID="1", SLURM_ARRAY_TASK_MAX="1")
    assert done.returncode != 0
    assert "name the manifest" in done.stderr


def test_fit_starts_a_process_for_each_gpu(tmp_path: Path) -> None:
    done = launch(LAUNCH / "fit.sbatch", tmp_path, "--config", "my config.yaml", **JOB)
    options = ["--config", "my config.yaml", "--trainer.num_nodes=2", "--trainer.devices=4"]
    assert done.stdout.splitlines() == ["lit-reenact", "fit", *options]


def test_a_seed_for_each_task_of_the_array(tmp_path: Path) -> None:
    done = launch(LAUNCH / "seeds.sbatch", tmp_path, "--config", "x.yaml", "--seed_everything=1", **JOB, SLURM_ARRAY_TASK_ID="3")
    options = ["--config", "x.yaml", "--seed_everything=1", "--seed_everything=3"]  # the last one counts
    assert done.stdout.splitlines() == ["lit-reenact", "fit", *options, "--trainer.num_nodes=2", "--trainer.devices=4"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"GPUS": "2"}, ["--nnodes=1", "--nproc-per-node=2", "--rdzv-endpoint=localhost:29400"]),
        ({"NODES": "3", "MASTER": "first"}, ["--nnodes=3", "--nproc-per-node=5", "--rdzv-endpoint=first:29400"]),
    ],
)
def test_torchrun_starts_a_process_for_each_gpu(tmp_path: Path, environment: dict[str, str], expected: list[str]) -> None:
    stand_in(tmp_path, "torchrun")
    stand_in(tmp_path, "nvidia-smi", "seq 5")
    words = launch(LAUNCH / "torchrun.sh", tmp_path, "--config", "x.yaml", **environment).stdout.splitlines()
    assert set(expected) <= set(words)
    nodes, processes = expected[0].partition("=")[2], expected[1].partition("=")[2]
    at = words.index("fit")
    assert words[at:] == ["fit", "--config", "x.yaml", f"--trainer.num_nodes={nodes}", f"--trainer.devices={processes}"]


def run_sweep(folder: Path, srun_exits: int) -> list[str]:
    """A start of a job with an agent that brings the trial ``t1``; all that was tried until now, as it ended."""
    stand_in(folder, "lit-reenact", "exit 1")
    stand_in(
        folder, "wandb", 'export WANDB_SWEEP_ID=s WANDB_RUN_ID=t1\n[ "$*" = "agent us/p/s" ] && lit-reenact fit --name="a b"'
    )
    srun = f'echo "$WANDB_SWEEP_ID $WANDB_RUN_ID $*" >> trials.txt\nexit {srun_exits}'
    launch(LAUNCH / "sweep_agent.sbatch", folder, "us/p/s", srun=srun, **JOB)
    return (folder / "trials.txt").read_text().splitlines()


def test_a_trial_runs_in_all_tasks_and_is_finished_after_a_requeue(tmp_path: Path) -> None:
    trial = f"s t1 {tmp_path / 'lit-reenact'} fit --name=a b --trainer.num_nodes=2 --trainer.devices=4"
    assert run_sweep(tmp_path, srun_exits=75) == [trial]
    assert run_sweep(tmp_path, srun_exits=0) == [trial] * 3  # the one that was cut off, then what the agent brings
    assert not list(tmp_path.glob("trial-*"))
    assert run_sweep(tmp_path, srun_exits=1) == [trial] * 4  # a failure is not tried again
    assert not list(tmp_path.glob("trial-*"))


def portrait_video(path: Path, shift: int) -> Path:
    photograph = astronaut()
    moves = [round(6 * np.sin((k + shift) / 5)) for k in range(15)]
    return write_video(path, [np.ascontiguousarray(photograph[:256, 96 + m : 352 + m]) for m in moves])


def wandb_ids(run: RunFolder) -> list[str]:
    """Return the ids of the offline runs in a folder, one for each start."""
    return [folder.name.rpartition("-")[2] for folder in run.path.glob("wandb/offline-run-*")]


@pytest.mark.slurm
@pytest.mark.slow
def test_a_job_whose_time_is_up_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tasks are told in mid-epoch that their time is up; the job runs again, and what results is one run."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    make_track(tmp_path / "track")
    options = ["--config", str(REPOSITORY / "configs" / "debug.yaml"), "--track", str(tmp_path / "track")]
    options += [
        "--data.split.fractions=[0.5,0.25]",
        "--model.inputs.image_size=32",
        "--model.generator.norm=instance",
        "--model.losses.lpips=0.0",
    ]
    options += ["--trainer.accelerator=cpu", "--trainer.log_every_n_steps=1", "--trainer.limit_val_batches=1"]
    options += ["--budget.max_batch_steps=150", "--checkpoint.every_n_batches=20", "--trainer.enable_progress_bar=false"]
    shape = ["--ntasks-per-node=2", "--cpus-per-task=1", "--mem-per-cpu=2G", "--gpus-per-node=0", f"--output={tmp_path}/log.txt"]
    run = RunFolder(tmp_path / "debug" / "seed-0")
    (tmp_path / "slurm").mkdir()
    with private_slurm(tmp_path / "slurm") as slurm:
        job = slurm.submit(*shape, str(LAUNCH / "fit.sbatch"), *options, f"--output={tmp_path}", cwd=REPOSITORY)
        slurm.wait_until(lambda: bool(run.metrics), 900, "the first batches")
        slurm.run("scancel", "--signal=USR1", job)
        slurm.wait(job, seconds=900)
        log = (tmp_path / "log.txt").read_text()
        assert (slurm.fact(job, "JobState"), slurm.fact(job, "Restarts")) == ("COMPLETED", "1"), log
    stopped = re.search(rf"stopped at batch step (\d+), .*; SLURM runs job {job} again", log)
    assert stopped, log
    step = int(stopped[1])
    assert f"Resuming {run.path} at batch step {step} of 150" in log
    assert step % 15  # an epoch has 15 batches
    starts = [list(joined_curves([path])["loss/l1"]) for path in run.metrics]
    assert starts == [list(range(1, step + 1)), list(range(step + 1, 151))]
    assert set(wandb_ids(run)) == {(run.path / "wandb-id.txt").read_text()}
    assert len(wandb_ids(run)) == 2
    assert {path.name for path in run.last.parent.iterdir()} == {"last.ckpt", "previous.ckpt", "best.ckpt"}
    assert not list(run.path.glob("*.ckpt"))  # Lightning's own way to requeue would leave one for each time


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
        assert {task: slurm.fact(f"{job}_{task}", "JobState") for task in (1, 2)} == {1: "FAILED", 2: "COMPLETED"}, logs
        assert "1 tracked, 0 skipped, 1 failed" in logs[1]
        assert "lit-reenact: " in logs[1]
        assert "bad.mp4 is not a video" in logs[1].rpartition("lit-reenact: ")[2]
        assert "1 tracked, 0 skipped, 0 failed" in logs[2]
        assert {path.parent.name for path in tracks.glob("*/track.safetensors")} == {"anna", "beth"}

        monkeypatch.setenv("SHARDS", "2")
        (tmp_path / "log-2.txt").unlink()
        slurm.wait(slurm.submit("--array=2", *words, cwd=REPOSITORY), seconds=300)
        assert "0 tracked, 1 skipped, 0 failed" in (tmp_path / "log-2.txt").read_text()
