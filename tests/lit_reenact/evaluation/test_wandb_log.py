"""W&B log of an evaluation, offline: the numbers of metrics.json, in the run that trained the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_reenact.commands.main import main
from lit_reenact.evaluation import evaluate as evaluator
from lit_reenact.tracking.trackfile import load_track
from tests.factories import make_module, make_track
from tests.wandb_records import history


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("track")
    make_track(folder, frames=70)
    return folder


@pytest.fixture
def checkpoint(track: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of batch step 40 in the folder of a run."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    module = make_module(inputs={"window": 1})
    info = load_track(track).info
    state: dict[str, Any] = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams), "batch_step": 40}
    state["TrackDataModule"] = {"source": [info.source], "clip_sha256": [info.clip_sha256]}
    path = tmp_path / "demo" / "seed-3" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    return path


def evaluate(track: Path, checkpoint: Path, output: Path, *words: str) -> None:
    options = ["--target", str(track), "--checkpoint", str(checkpoint), "-o", str(output), "--device", "cpu", "--wandb"]
    assert main(["evaluate", *options, *words]) == 0


def test_a_trained_run_gets_the_numbers_of_the_report(track: Path, checkpoint: Path, tmp_path: Path) -> None:
    run = checkpoint.parent.parent
    (run / "wandb-id.txt").write_text("abc123")
    evaluate(track, checkpoint, tmp_path / "evaluation")
    (run_folder,) = (run / "wandb").glob("offline-run-*")
    assert run_folder.name.endswith("-abc123")
    (row,) = [row for row in history(run_folder) if "evaluation/face_l1" in row]
    assert row["batch_step"] == 40
    methods = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())["methods"]
    for method, metrics in methods.items():
        prefix = "" if method == "model" else f"{method.replace(' ', '_').replace(',', '')}/"
        logged = {name: row.get(f"evaluation/{prefix}{name}") for name in metrics}
        assert logged == {name: value["mean"] for name, value in metrics.items()}
    assert {f"evaluation/{name}" for name in ("table", "report", "worst_frames", "best_frames")} <= row.keys()
    (page,) = run_folder.rglob("*.html")
    assert page.read_text() == (tmp_path / "evaluation" / "report.html").read_text()
    pictures = sorted(path.name for path in run_folder.rglob("*.png"))
    assert any("worst" in name for name in pictures)
    assert any("best" in name for name in pictures)
    assert not (tmp_path / "evaluation" / "wandb").exists()


def test_matted_numbers_stand_apart(track: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluator, "find_person", lambda target, frames, real: real[..., 0] >= 0)
    evaluate(track, checkpoint, tmp_path / "evaluation", "--matted")
    (run_folder,) = (tmp_path / "evaluation" / "wandb").glob("offline-run-*")
    (row,) = [row for row in history(run_folder) if "evaluation_matted/face_l1" in row]
    assert not any(name.startswith("evaluation/") for name in row)


def test_without_a_run_it_has_one_of_its_own(track: Path, checkpoint: Path, tmp_path: Path) -> None:
    for _ in range(2):
        evaluate(track, checkpoint, tmp_path / "evaluation")
    drawn = (tmp_path / "evaluation" / "wandb-id.txt").read_text()
    run_folder = sorted((tmp_path / "evaluation" / "wandb").glob("offline-run-*"))
    assert {folder.name.rpartition("-")[2] for folder in run_folder} == {drawn}
    assert not (checkpoint.parent.parent / "wandb").exists()
