"""``lit-reenact evaluate`` on several people: means by hand, each person's own files, and one sentence for bad input."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lit_reenact.commands.main import main
from lit_reenact.evaluation.people_results import PersonResult, compare_people
from lit_reenact.evaluation.table import MOTION_METRICS
from lit_reenact.tracking.tracked_clip import TrackedClip
from tests.factories import make_module, make_track

TEST = range(61, 70)
"""Held-out frames of a clip of 70: after 0.8 of the frames and one second (5 frames)."""

METRIC = next(iter(MOTION_METRICS))

BRIGHTER = {"anna": 4, "ben": 10}
"""Person to the levels that the frames to evaluate are brighter than the real ones."""


def write_frames(track: Path, folder: Path, brighter: int, size: int = 64) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(TrackedClip.load(track).read(TEST, size)):
        Image.fromarray((frame.int() + brighter).clamp(0, 255).to(torch.uint8).numpy()).save(folder / f"{number:03}.png")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the tracks of two people, and for each of them frames that are brighter than the real ones."""
    folder = tmp_path_factory.mktemp("people")
    for seed, (name, brighter) in enumerate(BRIGHTER.items()):
        (folder / "tracks" / name).mkdir(parents=True)
        make_track(folder / "tracks" / name, frames=70, seed=seed)
        write_frames(folder / "tracks" / name, folder / "frames" / name, brighter)
    (folder / "list.txt").write_text("tracks/anna\ntracks/ben\n")
    return folder


def evaluate(*words: object) -> int:
    return main(["evaluate", "--device", "cpu", *map(str, words)])


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_means_are_those_of_the_people(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = ("--frames", shared / "frames" / "{clip}")
    assert evaluate("--target", shared / "tracks" / "anna", shared / "tracks" / "ben", *frames, "-o", tmp_path / "out") == 0
    assert "Means over 2 people (anna, ben), last-fifth" in capsys.readouterr().out
    results = read(tmp_path / "out" / "people.json")
    each = {name: read(tmp_path / "out" / name / "metrics.json")["methods"] for name in BRIGHTER}
    for method in ("model", "mean frame"):
        for metric in ("l1", "face_ssim"):
            found = results["methods"][method][metric]
            own = [each[name][method][metric]["mean"] for name in BRIGHTER]
            assert found["mean"] == pytest.approx(np.mean(own), abs=1e-5)
            assert [one["mean"] for one in found["people"].values()] == pytest.approx(own, abs=1e-5)
            assert found["low"] <= found["mean"] <= found["high"]
    ahead = results["differences"]["mean frame"]["l1"]
    means = [results["methods"][method]["l1"]["mean"] for method in ("model", "mean frame")]
    assert ahead["mean"] == pytest.approx(means[0] - means[1], abs=1e-5)

    with (tmp_path / "out" / "people.csv").open(newline="") as file:
        lines = {(line["method"], line["metric"]): line for line in csv.DictReader(file)}
    assert float(lines["model", "l1"]["ben"]) == pytest.approx(each["ben"]["model"]["l1"]["mean"], rel=1e-4)
    assert float(lines["mean frame", "l1"]["difference"]) == pytest.approx(ahead["mean"], rel=1e-4)
    page = (tmp_path / "out" / "report.html").read_text()
    assert all(words in page for words in ("Means over people", "How far the model is ahead", '<a href="ben/report.html">'))

    before = {name: (tmp_path / "out" / name).read_bytes() for name in ("people.json", "people.csv", "report.html")}
    assert evaluate("--manifest", shared / "list.txt", *frames, "-o", tmp_path / "out") == 0
    assert {name: (tmp_path / "out" / name).read_bytes() for name in before} == before


def test_one_person_in_a_list_is_evaluated_as_alone(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{shared / 'tracks' / 'anna'}\n")
    frames = ("--frames", shared / "frames" / "anna")
    assert evaluate("--manifest", tmp_path / "list.txt", *frames, "-o", tmp_path / "listed") == 0
    assert evaluate("--target", shared / "tracks" / "anna", *frames, "-o", tmp_path / "alone") == 0
    files = sorted(path.name for path in (tmp_path / "alone").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "listed").iterdir())
    assert all((tmp_path / "alone" / name).read_bytes() == (tmp_path / "listed" / name).read_bytes() for name in files)


def test_people_that_cannot_be_averaged_are_refused_before_anything_is_measured(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracks, frames = shared / "tracks", shared / "frames"
    both = ("--target", tracks / "anna", tracks / "ben")
    (tmp_path / "list.txt").write_text("nowhere\n")
    for words, sentence in (
        ((*both, "--frames", frames / "anna"), "with several targets write {clip}"),
        ((*both, "--frames", frames / "{clip}", "--also", f"x={frames / 'ben'}"), f"--also x {frames / 'ben'}: with several"),
        ((*both, "--frames", tmp_path / "{clip}"), f"there is no {tmp_path / 'anna'} for the target anna"),
        ((*both, "--checkpoint", tmp_path / "{clip}.ckpt"), f"there is no {tmp_path / 'anna.ckpt'} for the target anna"),
        (("--target", tracks / "anna", tracks / "anna", "--frames", frames / "{clip}"), "anna is given twice"),
        (("--manifest", tmp_path / "list.txt", "--frames", frames / "{clip}"), "list.txt, line 1:"),
        ((*both, "--checkpoint", tmp_path / "one.ckpt", "--wandb"), "leave --wandb out"),
    ):
        assert evaluate(*words, "-o", tmp_path / "out") == 2
        assert sentence in capsys.readouterr().err
    for name, size in (("anna", 64), ("ben", 32)):
        write_frames(tracks / name, tmp_path / "sizes" / name, 0, size)
    assert evaluate(*both, "--frames", tmp_path / "sizes" / "{clip}", "-o", tmp_path / "out") == 2
    assert "ben would be measured by protocol last-fifth at 32 pixels, but anna by last-fifth at 64" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_checkpoints_of_different_protocols_are_refused(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = make_module(inputs={"window": 1})
    for name, split in (("anna", {}), ("ben", {"fractions": (0.5, 0.2)})):
        state = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
        torch.save({**state, "datamodule_hyper_parameters": split}, tmp_path / f"{name}.ckpt")
    both = ("--target", shared / "tracks" / "anna", shared / "tracks" / "ben")
    assert evaluate(*both, "--checkpoint", tmp_path / "{clip}.ckpt", "-o", tmp_path / "out") == 2
    assert "ben would be measured by protocol" in (message := capsys.readouterr().err)
    assert "at 32 pixels, but anna by last-fifth at 32" in message
    assert not (tmp_path / "out").exists()


def test_motion_is_averaged_over_people() -> None:
    def result(angle: float) -> PersonResult:
        values = {method: {"l1": torch.full((20,), level)} for method, level in (("model", 1.0), ("mean frame", 2.0))}
        motion = {"model": {METRIC: torch.full((20,), angle)}}
        return PersonResult("a.mp4", "frames", TEST, 5.0, 64, "last-fifth", False, values, motion)

    results = compare_people({"anna": result(2.0), "ben": result(4.0)})
    assert list(results.motion) == ["model"]
    assert results.motion["model"][METRIC].mean.value == 3.0
    assert results.differences["mean frame"]["l1"].difference == (-1.0, -1.0, -1.0)
