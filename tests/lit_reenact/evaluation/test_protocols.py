"""Protocols on synthetic clips: which frames a training, a checkpoint and another system's pictures are measured on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from lit_reenact.commands.main import main
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.split import PROTOCOLS, Split, SplitSettings
from lit_reenact.evaluation.candidates import read_candidate, synthesise_candidate
from lit_reenact.evaluation.heldout import held_out_split
from lit_reenact.experiments.ablation.measurements import measure_baselines, measure_checkpoint
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.track_split import split_track
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.trackfile import load_track, save_track
from lit_reenact.training.cli import parse_config
from lit_reenact.training.fit import run_fit
from tests.factories import make_data, make_module, make_track

INSTA = {"fractions": (0.7, 0.1), "protocol": "insta-350"}
FRAMES = 520
PARTS = Split(range(153), range(158, 165), range(170, 520), "insta-350")  # 5 frames a second; nine tenths of 170 are 153


@pytest.fixture(scope="module")
def long_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a track that learned from the training part of insta-350 alone."""
    folder = tmp_path_factory.mktemp("long") / "track"
    track = make_track(folder, frames=FRAMES, size=32)
    learned = TrackerSettings(protocol="insta-350").actor_frames(FRAMES, 5.0)
    assert learned == 153
    save_track(replace(track, info=replace(track.info, actor_frames=learned)), folder)
    return folder


@pytest.fixture(scope="module")
def target(long_folder: Path) -> TrackedClip:
    return TrackedClip.load(long_folder)


@pytest.fixture(scope="module")
def checkpoint(long_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    module, data = make_module(), make_data(long_folder, split=INSTA)
    state = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    state |= {"datamodule_hyper_parameters": dict(data.hparams), "TrackDataModule": data.state_dict()}
    path = tmp_path_factory.mktemp("trained") / "best.ckpt"
    torch.save(state, path)
    return path


def test_a_training_takes_the_frames_of_its_protocol(long_folder: Path) -> None:
    data = make_data(long_folder, split=INSTA)
    data.check()
    data.prepare_data()
    assert data.split == PARTS
    assert data.train_dataset.number.tolist() == list(range(153))
    assert torch.cat([batch.number for batch in data.val_dataloader()]).tolist() == list(range(158, 165))
    assert torch.cat([batch.number for batch in data.test_dataloader()]).tolist() == list(range(170, 520))


def test_fit_reads_the_protocol(long_folder: Path) -> None:
    words = ["--config", "configs/debug.yaml", "--track", str(long_folder), "--trainer.accelerator=cpu"]
    cli = parse_config([*words, "--protocol", "insta-350", "--model.inputs.image_size=32", "--model.inputs.window=3"])
    assert cli.datamodule.split == PARTS
    assert cli.plain_config["data"]["split"]["protocol"] == "insta-350"
    with pytest.raises(ReenactError, match=r"data\.split\.fractions is \[0\.6, 0\.1\], but data\.split\.protocol insta-350"):
        parse_config([*words, "--protocol=insta-350", "--data.split.fractions=[0.6,0.1]"])
    with pytest.raises(ReenactError, match="insta-350"):
        parse_config([*words, "--protocol=insta-35"])


def test_from_a_training_to_the_report(track_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training, its configuration, its log, its checkpoint and every result name the protocol, here a shorter one."""
    monkeypatch.setitem(PROTOCOLS, "insta-350", replace(PROTOCOLS["insta-350"], test=10))
    words = ["--config", "configs/debug.yaml", "--track", str(track_folder), "--name=named", "--loggers=[csv]"]
    words += ["--protocol=insta-350", "--trainer.accelerator=cpu", "--model.inputs.image_size=32", "--model.inputs.window=1"]
    run = run_fit([*words, "--artifacts.kinds=[]", f"--output={tmp_path}"])
    assert "protocol: insta-350" in run.config.read_text()
    (log,) = run.path.rglob("hparams.yaml")
    assert "protocol: insta-350" in log.read_text()
    out = tmp_path / "evaluation"
    options = ["--target", str(track_folder), "--checkpoint", str(run.path), "-o", str(out), "--device", "cpu"]
    assert main(["evaluate", *options, "--protocol", "insta-350"]) == 0
    results = json.loads((out / "metrics.json").read_text())
    assert (results["protocol"], results["matted"], results["frames"]) == ("insta-350", False, [110, 120])
    report = (out / "report.html").read_text()
    assert "was held out from training (protocol insta-350)" in report
    assert "<dt>protocol</dt><dd>insta-350</dd>" in report


def test_a_checkpoint_is_measured_by_its_own_protocol(target: TrackedClip, checkpoint: Path) -> None:
    assert held_out_split(target, checkpoint, 3) == held_out_split(target, checkpoint, 3, "insta-350") == PARTS
    with pytest.raises(ReenactError, match=r"was trained with the split insta-350, .* --protocol last-fifth tests"):
        synthesise_candidate(target, checkpoint, progress=False, protocol="last-fifth")


def test_a_checkpoint_from_before_protocols_is_of_the_last_fifth(target: TrackedClip, checkpoint: Path, tmp_path: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    state["datamodule_hyper_parameters"]["split"] = {"fractions": (0.7, 0.1), "training_frames": None}
    torch.save(state, tmp_path / "old.ckpt")
    expected = Split(range(364), range(369, 416), range(421, 520), "last-fifth")
    assert held_out_split(target, tmp_path / "old.ckpt", 3) == held_out_split(target, tmp_path / "old.ckpt", 3, "last-fifth")
    assert held_out_split(target, tmp_path / "old.ckpt", 3) == expected
    with pytest.raises(ReenactError, match=r"old\.ckpt was trained with the split last-fifth"):
        held_out_split(target, tmp_path / "old.ckpt", 3, "insta-350")


def test_own_fractions_are_no_protocol(target: TrackedClip, checkpoint: Path, tmp_path: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    state["datamodule_hyper_parameters"]["split"] = {"fractions": (0.5, 0.2)}
    torch.save(state, tmp_path / "own.ckpt")
    assert held_out_split(target, tmp_path / "own.ckpt", 3).protocol == "fractions 0.5 and 0.2"
    with pytest.raises(ReenactError, match=r"the split fractions 0\.5 and 0\.2"):
        held_out_split(target, tmp_path / "own.ckpt", 3, "last-fifth")


def test_the_protocol_says_how_many_pictures_another_system_owes(target: TrackedClip, tmp_path: Path) -> None:
    for number in range(99):
        Image.new("RGB", (32, 32)).save(tmp_path / f"{number:03}.png")
    assert len(read_candidate(target, tmp_path).frames) == 99
    with pytest.raises(ReenactError, match=r"holds 99 pictures, but there must be 350, .* frames 170 to 519 .* by insta-350"):
        read_candidate(target, tmp_path, "insta-350")


def test_a_track_that_learned_from_held_out_frames_is_refused(long_folder: Path) -> None:
    track = load_track(long_folder)
    eager = replace(track, info=replace(track.info, actor_frames=364))  # what last-fifth learns from
    assert split_track(eager, long_folder, SplitSettings(), 3).protocol == "last-fifth"
    with pytest.raises(ReenactError, match=r"first 364 frames, .* of insta-350 ends at frame 153, .*--protocol insta-350` again"):
        split_track(eager, long_folder, SplitSettings(protocol="insta-350"), 3)
    with pytest.raises(ReenactError, match=r"first 400 frames, .* last-fifth ends at frame 364, .*--protocol last-fifth` again"):
        split_track(replace(track, info=replace(track.info, actor_frames=400)), long_folder, SplitSettings(), 3)


def test_measurements_hold_their_protocol(target: TrackedClip, checkpoint: Path, tmp_path: Path) -> None:
    measured = measure_checkpoint(checkpoint, target, target, tmp_path / "metrics.json")
    assert (measured.protocol, measured.training, measured.test) == ("insta-350", PARTS.train, PARTS.test)
    short = replace(measured, test=range(500, 510))
    other = replace(short, protocol="fractions 0.5 and 0.2")
    assert measure_baselines(target, short, tmp_path / "baselines.json").protocol == "insta-350"
    assert measure_baselines(target, other, tmp_path / "baselines.json").protocol == "fractions 0.5 and 0.2"


@pytest.mark.parametrize("short", ["insta-350", "flashavatar-500", "first-1800-last-600"])
def test_a_short_clip_is_one_sentence(short: str, track_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "frames").mkdir()
    words = ["--target", str(track_folder), "--frames", str(tmp_path / "frames"), "-o", str(tmp_path / "out")]
    assert main(["evaluate", *words, "--protocol", short]) == 2
    error = capsys.readouterr().err
    assert f"protocol {short} needs" in error
    assert "but the clip has 120" in error
    assert not (tmp_path / "out").exists()
