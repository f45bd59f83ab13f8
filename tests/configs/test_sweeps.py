"""Every shipped sweep trains a batch of its first trial, and finds its metric in the log under that very name."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lit_reenact import fit
from lit_reenact.run_folder import RunFolder
from tests.configs.test_configs import SHORT, SMALL
from tests.factories import make_track

SWEEPS = sorted((Path(__file__).resolve().parents[2] / "sweeps").glob("*.yaml"))


def first_trial(sweep: dict[str, Any]) -> list[str]:
    """The arguments that a W&B agent puts in place of ``${args}`` for the first values of a grid."""
    return [f"--{name}={choice['values'][0]}" for name, choice in sweep["parameters"].items()]


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_its_first_trial_trains_and_logs_its_metric(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = yaml.safe_load(path.read_text())
    assert sweep["command"][:3] == ["lit-reenact", "fit", "--config"]
    assert sweep["command"][-1] == "${args}"
    config = Path(__file__).resolve().parents[2] / sweep["command"][3]
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setenv("WANDB_SWEEP_ID", "a-sweep")
    monkeypatch.setenv("WANDB_RUN_ID", "a-trial")
    make_track(tmp_path / "track", size=64)
    arguments = [f"--config={config}", f"--track={tmp_path / 'track'}", f"--output={tmp_path}", *first_trial(sweep)]
    run = fit.run_fit([*arguments, *SMALL, *SHORT])
    assert run.path == tmp_path / f"{config.stem}-a-trial" / "seed-0"  # every trial in a folder of its own
    with run.metrics[-1].open() as file:
        assert any(row.get(sweep["metric"]["name"]) for row in csv.DictReader(file))


@pytest.mark.slow
def test_a_trial_on_two_processes_is_one_run(tmp_path: Path) -> None:
    """What an agent starts, in the environment that it sets."""
    make_track(tmp_path / "track", size=64)
    config = Path(__file__).resolve().parents[2] / "configs" / "debug.yaml"
    words = [f"--config={config}", f"--track={tmp_path / 'track'}", f"--output={tmp_path}", "--model.norm=instance", *SMALL]
    words += ["--trainer.accelerator=cpu", "--trainer.devices=2", "--data.fractions=[0.5,0.25]", "--model.lambda_l1=30.0"]
    agent = {"WANDB_SWEEP_ID": "a-sweep", "WANDB_RUN_ID": "atrial", "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    program = Path(sys.executable).with_name("lit-reenact")
    subprocess.run([program, "fit", *words], env={**os.environ, **agent}, cwd=tmp_path, check=True, timeout=500)
    run = RunFolder(tmp_path / "debug-atrial" / "seed-0")
    assert run.batch_step() == 1
    assert (run.path / "wandb-id.txt").read_text() == "atrial"
    assert [folder.name.rpartition("-")[2] for folder in tmp_path.rglob("offline-run-*")] == ["atrial"]
    assert len(list(tmp_path.rglob("metrics.csv"))) == 1


def test_there_is_a_sweep() -> None:
    assert SWEEPS
