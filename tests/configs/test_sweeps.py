"""Every shipped sweep is one that W&B takes, trains a batch of its first trial, and finds its metric in the log by that name."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb

from lit_reenact.commands.main import main
from lit_reenact.experiments.sweep.engine import propose
from lit_reenact.experiments.sweep.loading import load_sweep
from lit_reenact.training import fit
from lit_reenact.training.run_folder import RunFolder, joined_curves
from tests.configs.test_configs import SHORT, SMALL
from tests.factories import make_track
from tests.wandb_records import history

REPOSITORY = Path(__file__).resolve().parents[2]
SWEEPS = sorted((REPOSITORY / "sweeps").glob("*.yaml"))


@pytest.fixture(scope="module")
def track_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweeps") / "track"
    make_track(folder, size=64)
    return folder


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The environment of an agent, which W&B reads once in a process: later tests must not log as trials."""
    wandb.teardown()
    yield monkeypatch
    wandb.teardown()


def test_there_are_sweeps() -> None:
    assert {path.stem for path in SWEEPS} >= {"learning_rate", "loss_weights", "conditioning", "capacity", "augmentation"}


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_it_opens_with_its_commands(path: Path) -> None:
    first, second, *_ = path.read_text().splitlines()
    assert first.startswith(f"# wandb sweep sweeps/{path.name}, ")
    assert second.startswith(f"# lit-reenact sweep sweeps/{path.name} --count ")


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_its_first_trial_trains_and_logs_its_metric(
    path: Path, track_folder: Path, tmp_path: Path, agent: pytest.MonkeyPatch
) -> None:
    """Each trial runs as an agent starts it, but for the sizes: the network's, the clip's and the batch's."""
    agent.chdir(REPOSITORY)
    varied = load_sweep(path).parameters
    small = [word for word in (*SMALL, *SHORT) if word.removeprefix("--").partition("=")[0] not in varied]
    sweep = load_sweep(path, [f"--data.track={track_folder}", f"--output={tmp_path}", *small])
    parameters = propose(sweep, [])
    assert parameters is not None
    for name, value in {"WANDB_MODE": "offline", "WANDB_SWEEP_ID": "a-sweep", "WANDB_RUN_ID": f"{path.stem}-trial"}.items():
        agent.setenv(name, value)
    run = fit.run_fit(sweep.arguments(parameters))
    config = Path(sweep.content["command"][3])
    assert run.path == tmp_path / f"{config.stem}-{path.stem}-trial" / "seed-0"  # every trial in a folder of its own
    (value,) = joined_curves(run.metrics)[sweep.metric].values()
    (told,) = (run.path / "wandb").glob("offline-run-*")
    assert [row[sweep.metric] for row in history(told) if sweep.metric in row] == [pytest.approx(value)]


@pytest.mark.slow
def test_a_trial_on_two_processes_is_one_run(track_folder: Path, tmp_path: Path) -> None:
    """Run the command that an agent starts, in the environment that it sets."""
    config = REPOSITORY / "configs" / "debug.yaml"
    words = [f"--config={config}", f"--track={track_folder}", f"--output={tmp_path}", "--model.generator.norm=instance", *SMALL]
    words += ["--trainer.accelerator=cpu", "--trainer.devices=2", "--data.split.fractions=[0.5,0.25]", "--model.losses.l1=30.0"]
    agent = {"WANDB_SWEEP_ID": "a-sweep", "WANDB_RUN_ID": "atrial", "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    program = Path(sys.executable).with_name("lit-reenact")
    subprocess.run([program, "fit", *words], env={**os.environ, **agent}, cwd=tmp_path, check=True, timeout=500)
    run = RunFolder(tmp_path / "debug-atrial" / "seed-0")
    assert run.batch_step() == 1
    assert (run.path / "wandb-id.txt").read_text() == "atrial"
    assert [folder.name.rpartition("-")[2] for folder in tmp_path.rglob("offline-run-*")] == ["atrial"]
    assert len(list(tmp_path.rglob("metrics.csv"))) == 1


@pytest.mark.slow
def test_a_sweep_runs_without_a_server(
    track_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    words = [word for setting in (*SMALL, *SHORT) for word in ("--set", setting.removeprefix("--"))]
    words += ["--count", "2", "--track", str(track_folder), "-o", str(tmp_path)]
    assert main(["sweep", "sweeps/learning_rate.yaml", *words]) == 0
    folder = tmp_path / "learning_rate"
    with (folder / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["trial"]: row["model.optimizer.learning_rate"] for row in rows} == {"trial-1": "0.0001", "trial-2": "0.0002"}
    for row in rows:
        run = RunFolder(folder / row["trial"] / "seed-0")
        assert run.batch_step() == 1
        assert joined_curves(run.metrics)["val/face_l1"] == {1: pytest.approx(float(row["val/face_l1"]))}
    assert (folder / "trials.png").is_file()
    assert f"--checkpoint {folder / rows[0]['trial']}/seed-0/checkpoints/best.ckpt" in capsys.readouterr().out
