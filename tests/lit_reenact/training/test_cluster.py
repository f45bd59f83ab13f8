"""Devices that do not exist and processes that never come are refused, each in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.training.cluster import refuse_missing_devices, requeue_job


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SLURM_", "TORCHELASTIC_")):
            monkeypatch.delenv(name)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.parametrize("devices", ["auto", -1, "-1", 1, 2, "2", [1], "0,1", "1,"])
@pytest.mark.parametrize("accelerator", ["auto", "gpu", "cuda"])
@pytest.mark.usefixtures("gpus")
def test_devices_that_are_there(accelerator: str, devices: list[int] | str | int) -> None:
    refuse_missing_devices(accelerator, devices, nodes=1)


@pytest.mark.parametrize("devices", [3, "3", [2], "0,2"])
@pytest.mark.usefixtures("gpus")
def test_devices_that_are_not(devices: list[int] | str | int) -> None:
    with pytest.raises(ReenactError, match=r"trainer\.accelerator is gpu and trainer\.devices is .* this machine has 2 GPU:"):
        refuse_missing_devices("gpu", devices, nodes=1)


def test_no_gpu_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ReenactError, match="this machine has no GPU"):
        refuse_missing_devices("gpu", "auto", nodes=1)
    refuse_missing_devices("auto", "auto", nodes=1)


def test_a_process_has_a_core_of_its_own() -> None:
    cores = os.cpu_count() or 1
    refuse_missing_devices("cpu", cores, nodes=1)
    with pytest.raises(ReenactError, match=f"trainer.devices is {cores + 1}, but this machine has {cores} CPU cores"):
        refuse_missing_devices("cpu", cores + 1, nodes=1)


@pytest.mark.parametrize(
    ("launcher", "environment"),
    [
        ("SLURM", {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "fit", "SLURM_NTASKS_PER_NODE": "2"}),
        ("torchrun", {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4"}),
    ],
)
@pytest.mark.usefixtures("gpus")
def test_processes_that_never_come(monkeypatch: pytest.MonkeyPatch, launcher: str, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    refuse_missing_devices("gpu", 2, nodes=2)
    for devices, nodes in ((2, 1), (1, 2), ("auto", 1)):
        with pytest.raises(ReenactError, match=f"trainer.num_nodes is {nodes}, but {launcher} starts 4 processes"):
            refuse_missing_devices("gpu", devices, nodes)


@pytest.mark.usefixtures("gpus")
def test_tasks_without_a_number_per_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_JOB_NAME", "fit")
    with pytest.raises(ReenactError, match="--ntasks-per-node"):
        refuse_missing_devices("gpu", 2, nodes=1)


@pytest.mark.parametrize(
    ("environment", "job"),
    [
        ({}, None),
        ({"SLURM_JOB_ID": "7"}, "7"),
        ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, "7_2"),
        ({"SLURM_JOB_ID": "8"}, None),  # SLURM does not want to
    ],
)
def test_a_job_is_queued_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], job: str | None
) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\n[ "$2" != 8 ]\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert requeue_job() == job
    if job is not None:
        assert (tmp_path / "said").read_text() == f"requeue {job}\n"
