"""Artifacts that an offline run logs to W&B, read back from its files."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
import wandb

from lit_reenact.callbacks import Artifacts, BatchBudget, BatchStepCheckpoint, FrameMetrics, ReenactmentVideo
from lit_reenact.training.loggers import finish_wandb, make_loggers
from tests.factories import make_data, make_module, make_track, make_trainer
from tests.wandb_records import artifacts as logged_artifacts
from tests.wandb_records import history


def md5(file: Path) -> str:
    return base64.b64encode(hashlib.md5(file.read_bytes()).digest()).decode()


def train(folder: Path, track: Path, driver: Path, artifacts: Artifacts, batches: int = 2) -> None:
    video = ReenactmentVideo(max_frames=3, driver=str(driver))
    callbacks = [FrameMetrics(), video, BatchStepCheckpoint(), artifacts, BatchBudget(batches)]
    trainer = make_trainer(folder, *callbacks, val_check_interval=1, limit_val_batches=1, logger=make_loggers(folder, "a run"))
    trainer.fit(make_module(), datamodule=make_data(track))
    finish_wandb()


def test_a_video_can_be_traced_back_to_its_tracks(
    track_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    driver, run = tmp_path / "driver", tmp_path / "my run" / "seed-0"
    make_track(driver, frames=20, seed=5)
    train(run, track_folder, driver, Artifacts())
    (folder,) = (run / "wandb").glob("offline-run-*")
    outputs = {(one["type"], one["name"]): one for one in logged_artifacts(folder) if not one["is_input"]}
    inputs = [one for one in logged_artifacts(folder) if one["is_input"]]

    assert [next(iter(one["files"].values()))[1] for one in inputs] == [
        md5(track / "track.safetensors") for track in (track_folder, driver)
    ]
    assert inputs[0]["metadata"]["source"] == "synthetic.mp4"
    assert set(outputs) == {("model", "model-my_run"), ("video", "video-my_run")}
    model, video = outputs["model", "model-my_run"], outputs["video", "video-my_run"]
    assert model["files"]["best.ckpt"][1] == md5(run / "checkpoints" / "best.ckpt")
    assert model["metadata"]["batch_step"] in (1, 2)
    assert {name: digest for name, (_, digest) in video["files"].items()} == {
        name: md5(run / "videos" / name) for name in ("step-000002.mp4", "step-000002-driven.mp4")
    }
    assert {"val/reenactment", "val/driven", "val/face_l1"} <= {name for row in history(folder) for name in row}
    assert f"wandb sync '{run}/wandb'/offline-run-*" in capsys.readouterr().out

    # Files that wait for their upload stay unchanged when the run replaces its own files later.
    (run / "checkpoints" / "other").write_text("a better one")
    (run / "checkpoints" / "other").replace(run / "checkpoints" / "best.ckpt")
    for one in [*inputs, model, video]:
        assert all(md5(file) == digest and file.is_absolute() for file, digest in one["files"].values())


def test_without_wandb_nothing_is_logged(track_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    train(tmp_path / "disabled", track_folder, track_folder, Artifacts(), batches=1)
    assert not (tmp_path / "disabled" / "wandb").exists()
    trainer = make_trainer(tmp_path / "none", Artifacts(), BatchBudget(1), limit_val_batches=0)
    trainer.fit(make_module(), datamodule=make_data(track_folder))
    assert wandb.run is None
