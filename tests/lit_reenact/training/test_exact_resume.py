"""A training that is killed, by whatever and whenever, becomes by the same command what it would have become without."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_reenact.training.run_folder import RunFolder, joined_curves
from tests.factories import make_track

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "debug.yaml"
BUDGET = 42


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], list[str]]:
    """The command line of a run in a folder, with everything that draws random numbers: dropout, augmentation, balance."""
    track = tmp_path_factory.mktemp("exact") / "track"
    make_track(track)
    options = {
        "config": CONFIG,
        "track": track,
        "data.split.fractions": "[0.5,0.25]",
        "data.balance": "true",
        "data.augmentation.rotation": 5.0,
        "model.inputs.image_size": 32,
        "model.generator.texture_channels": 2,
        "model.losses.lpips": 0.0,
        "model.losses.mouth_adversarial": 1.0,
        "model.losses.eyes_adversarial": 1.0,
        "model.discriminator.layers": 2,
        "model.discriminator.scales": 2,
        "loggers": "[csv]",
        "budget.max_batch_steps": BUDGET,
        "checkpoint.every_n_batches": 4,
        "trainer.val_check_interval": 6,
        "trainer.log_every_n_steps": 3,
        "trainer.limit_val_batches": 2,
        "trainer.accelerator": "cpu",
        "trainer.deterministic": "true",
        "trainer.enable_progress_bar": "false",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    return lambda folder: ["fit", *words, f"--output={folder}"]


def start(arguments: list[str]) -> int:
    """The command in a process of its own, with as many threads as here: their number decides the last bits."""
    words = [sys.executable, "-m", "lit_reenact.commands.main", *arguments]
    return os.posix_spawn(sys.executable, words, os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())})


def end(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def run_of(folder: Path) -> RunFolder:
    return RunFolder(folder / "debug" / "seed-0")


def outcome(run: RunFolder) -> dict[str, Any]:
    """Return the weights and the logged values of a run."""
    kept = ("state_dict", "generator_ema", "optimizer_states", "random_states", "callbacks", "batch_step", "loops")
    files = {path.name: torch.load(path, weights_only=True) for path in (run.last, run.best)}
    curves = {
        name: curve for name, curve in joined_curves(run.metrics).items() if name.startswith(("loss/", "val/", "learning_rate"))
    }
    return {"curves": curves} | {name: {key: file[key] for key in kept} for name, file in files.items()}


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Return the places where two nested values differ, bit by bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        unshared = [f"{where}.{key}" for key in one.keys() ^ other.keys()]
        return unshared + [d for key in one.keys() & other.keys() for d in differences(one[key], other[key], f"{where}.{key}")]
    if isinstance(one, list | tuple) and len(one) == len(other):
        return [d for k, (a, b) in enumerate(zip(one, other, strict=True)) for d in differences(a, b, f"{where}[{k}]")]
    same = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    return [] if same else [f"{where}: {one} {other}"]


@pytest.fixture(scope="module")
def uninterrupted(command: Callable[[Path], list[str]], tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, float]:
    """A run, and how many seconds it trained."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    process = start(command(folder))
    wait_for(run_of(folder).last, process)
    begin = run_of(folder).last.stat().st_mtime
    assert end(process) == 0
    return run_of(folder), run_of(folder).last.stat().st_mtime - begin


def wait_for(path: Path, process: int) -> None:
    while not path.is_file():
        assert os.waitpid(process, os.WNOHANG) == (0, 0)
        time.sleep(0.005)


@pytest.mark.slow
def test_kill_9_at_random_moments(
    command: Callable[[Path], list[str]], tmp_path: Path, uninterrupted: tuple[RunFolder, float]
) -> None:
    expected, seconds = uninterrupted
    run, moments = run_of(tmp_path), []
    for _ in range(2):
        process = start(command(tmp_path))
        wait_for(run.path / "metrics" / f"version_{len(moments)}" / "metrics.csv", process)
        moments.append(random.uniform(0, 0.4 * seconds))
        time.sleep(moments[-1])
        os.kill(process, signal.SIGKILL)
        assert end(process) == -signal.SIGKILL, moments
    assert 0 < run.batch_step() < BUDGET
    assert end(start(command(tmp_path))) == 0
    assert not differences(outcome(expected), outcome(run)), moments
    assert list(joined_curves(run.metrics)["loss/l1"]) == list(range(3, BUDGET + 1, 3))
    assert list(joined_curves(run.metrics)["val/face_l1"]) == list(range(6, BUDGET + 1, 6))
