"""A report, line by line, on whether this machine and videos are ready for training."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.weights import SHA256, load_weights
from lit_reenact.inspection.video_checks import Finding, examine_video


def _python() -> Finding:
    supported = platform.python_version_tuple()[:2] in (("3", "11"), ("3", "12"))
    text = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("ok", text) if supported else Finding("problem", f"{text}: use Python 3.11 or 3.12")


def _packages() -> Finding:
    names = ("torch", "lightning", "kornia", "decord", "mediapipe", "av", "wandb")
    return Finding("ok", ", ".join(f"{name} {version(name)}" for name in names))


def _device() -> Finding:
    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count()))
        return Finding("ok", f"GPU: {names}")
    return Finding(
        "hint", f"no GPU, {os.cpu_count()} CPU cores: configs/demo.yaml (128 pixels) trains in minutes; paper.yaml needs a GPU"
    )


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    level = "ok" if free > 5 else "hint"
    return Finding(
        level, f"{free:.0f} GiB of disk free here" + ("" if free > 5 else ": a few minutes of video at 256 pixels need about 5")
    )


def _weights() -> Finding:
    try:
        for name in SHA256:
            load_weights(name)
    except ReenactError as error:
        return Finding("problem", str(error))
    return Finding("ok", f"weights of the metrics: {', '.join(SHA256)}")


def _wandb() -> Finding:
    import wandb

    if wandb.api.api_key:
        return Finding("ok", "Weights & Biases: logged in")
    return Finding(
        "hint", "Weights & Biases: not logged in, so runs stay offline; after `wandb login`, `wandb sync` uploads them"
    )


MACHINE_CHECKS: tuple[Callable[[], Finding], ...] = (_python, _packages, _device, _disk, _weights, _wandb)


def _print(findings: Iterable[Finding]) -> bool:
    """Print findings; return whether one of them is a problem."""
    problem = False
    for finding in findings:
        print(f"  {finding.level:<8}{finding.text}")
        problem |= finding.level == "problem"
    return problem


def examine(videos: list[Path]) -> int:
    """Print the findings on this machine and on ``videos``.

    Returns:
        0, or 2 if anything is a problem.
    """
    print("This machine")
    problem = _print(check() for check in MACHINE_CHECKS)
    for video in videos:
        print(f"\n{video}")
        try:
            problem |= _print(examine_video(video))
        except ReenactError as error:
            problem |= _print([Finding("problem", str(error))])
    print(
        "\nNext: "
        + ("fix the problems above." if problem else "`lit-reenact demo`, or `lit-reenact track VIDEO...` on your own videos.")
    )
    return 2 if problem else 0
