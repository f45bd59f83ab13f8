"""Requirements of a training on its machine and its cluster."""

from __future__ import annotations

import os
import subprocess

import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from lit_reenact.core.devices import computes_in_bfloat16
from lit_reenact.core.errors import ReenactError

PRECISIONS = ("32-true", "32", "bf16-mixed", "bf16", "16-mixed", "16")
"""Precisions that networks train in, by all of Lightning's names. Weights are float32 in all of them."""


def refuse_missing_devices(accelerator: str, devices: list[int] | str | int, nodes: int) -> None:
    """Refuse devices that are not there, before Lightning waits for processes that never come.

    Args:
        accelerator: setting ``trainer.accelerator``.
        devices: setting ``trainer.devices``.
        nodes: setting ``trainer.num_nodes``.

    Raises:
        ReenactError: this machine has fewer devices, or the cluster started another number of processes.
    """
    kind, available = _devices(accelerator)
    wanted = _wanted(devices, automatic=1 if kind == "CPU cores" else max(1, available))
    if max(wanted, default=0) >= available:
        raise ReenactError(
            f"trainer.accelerator is {accelerator} and trainer.devices is {devices}, but this machine has {available or 'no'} "
            f"{kind}: ask for what it has"
        )
    launcher, processes = _launcher()
    if launcher is not None and processes != len(wanted) * nodes:
        raise ReenactError(
            f"trainer.devices is {devices} and trainer.num_nodes is {nodes}, but {launcher} starts {processes} processes in all: "
            "start it with a file of sweeps/launch, which gives both the same number"
        )
    if launcher == "SLURM" and processes > 1 and "SLURM_NTASKS_PER_NODE" not in os.environ:
        raise ReenactError("SLURM was given --ntasks: give it --nodes and --ntasks-per-node, which say how many are on each node")


def refuse_missing_abilities(accelerator: str, precision: str | int | None, sync_batchnorm: bool) -> None:
    """Refuse settings with which Lightning would take another precision, or fail at the first batch.

    Args:
        accelerator: setting ``trainer.accelerator``.
        precision: setting ``trainer.precision``.
        sync_batchnorm: setting ``trainer.sync_batchnorm``.

    Raises:
        ReenactError: networks, or the device, have no such precision, or batch norm cannot be shared between processes on it.
    """
    kind, _ = _devices(accelerator)
    if precision is not None and str(precision) not in PRECISIONS:
        raise ReenactError(f"trainer.precision is {precision}, but networks train in 32-true, bf16-mixed or 16-mixed: take one")
    if kind == "CPU cores" and str(precision) in ("16-mixed", "16"):
        raise ReenactError(f"trainer.precision is {precision}, which a CPU does not train in: take bf16-mixed, or 32-true")
    if kind == "CPU cores" and sync_batchnorm:
        raise ReenactError(
            "trainer.sync_batchnorm is on, which works on GPUs alone: switch it off, and take model.generator.norm=instance"
        )
    on_cuda = kind == "GPU" and torch.cuda.is_available()
    if on_cuda and str(precision).startswith("bf16") and not computes_in_bfloat16(torch.device("cuda")):
        raise ReenactError(f"trainer.precision is {precision}, which this GPU does not compute in: take 16-mixed, or 32-true")


def requeue_job() -> str | None:
    """Ask SLURM to run this job again; return its number, or None if this is no job or SLURM refuses."""
    job = os.environ.get("SLURM_JOB_ID")
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    if job is None:
        return None
    result = subprocess.run(["scontrol", "requeue", job], capture_output=True, check=False)
    return job if result.returncode == 0 else None


def _devices(accelerator: str) -> tuple[str, int]:
    """Return the kind and the number of devices; on a CPU every process has a core of its own."""
    gpus = torch.cuda.device_count() or int(torch.backends.mps.is_available())
    if accelerator == "cpu" or (accelerator == "auto" and not gpus):
        return "CPU cores", os.cpu_count() or 1
    return "GPU", gpus


def _wanted(devices: list[int] | str | int, automatic: int) -> list[int]:
    """Return the numbers of the devices, as Lightning reads the setting."""
    if devices in ("auto", -1, "-1"):
        return list(range(automatic))
    if isinstance(devices, str) and "," in devices:
        return [int(number) for number in devices.split(",") if number]
    try:
        return devices if isinstance(devices, list) else list(range(int(devices)))
    except ValueError as error:
        raise ReenactError(f"trainer.devices is {devices}: give a number, a list of numbers, or auto") from error


def _launcher() -> tuple[str | None, int]:
    """Return the name of the launcher, None if Lightning starts the other processes, and the number of all processes."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return "torchrun", int(os.environ["WORLD_SIZE"])
    if SLURMEnvironment.detect():
        return "SLURM", int(os.environ["SLURM_NTASKS"])
    return None, 1
