"""``lit-reenact edit``: the video and its record, the table of sliders, and refusals."""

from __future__ import annotations

import json
import os
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from lit_reenact.commands.main import main
from lit_reenact.edit import sliders_of
from lit_reenact.face import load_face_model
from lit_reenact.video import FrameReader, probe, read_tags
from tests.factories import make_module, make_track


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a target and a run."""
    folder = tmp_path_factory.mktemp("edit")
    make_track(folder / "target", frames=24, size=32)
    module = make_module()
    checkpoint = folder / "run" / "seed-0" / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir(parents=True)
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}, checkpoint)
    return folder


def words(folder: Path, *more: str) -> list[str]:
    return ["edit", "--target", str(folder / "target"), "--checkpoint", str(folder / "run"), *more]


def test_the_video_is_edited_and_says_how(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "edit.yaml").write_text("sliders: {head_yaw: {keys: [[0, 0], [2, 20]]}, jawOpen: 0.5}")
    plain, edited = tmp_path / "plain.mp4", tmp_path / "edited.mp4"
    assert main([*words(folder), "-o", str(plain)]) == 0
    command = words(folder, "--edit", str(tmp_path / "edit.yaml"), "--set", "jawOpen=1", "--set", "gaze_yaw=-5")
    assert main([*command, "-o", str(edited)]) == 0
    assert "24 frames" in capsys.readouterr().out
    assert probe(edited).frame_count == probe(plain).frame_count == 24
    assert not torch.equal(FrameReader(edited)[:], FrameReader(plain)[:])
    record = json.loads(read_tags(edited)["description"])["edits"]
    assert record["sliders"] == {
        "head_yaw": {"interpolation": "smooth", "keys": [[0, 0], [2, 20]]},
        "jawOpen": 1,
        "gaze_yaw": -5,
    }


def test_the_table_names_every_slider(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edit", "--list"]) == 0
    printed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert set(sliders_of(load_face_model("builtin"))) <= printed


@pytest.mark.parametrize("command", [["edit", "--list"], ["--help"]])
def test_whoever_stops_reading_is_no_error(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """``| head`` closes the pipe early; closing flushes it, as Python does at its end."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", pipe)
        assert main(command) == 141
    assert capfd.readouterr().err == ""


def test_what_somebody_else_performs_is_edited(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A source with twice the frames per second gives its motion at the target's rate, and sliders change it."""
    make_track(tmp_path / "source", frames=20, size=32, fps=Fraction(10), seed=5)
    outputs = {name: tmp_path / f"{name}.mp4" for name in ("own", "driven", "edited")}
    driven = words(folder, "--source", str(tmp_path / "source"))
    assert main([*words(folder), "-o", str(outputs["own"])]) == 0
    assert main([*driven, "-o", str(outputs["driven"])]) == 0
    assert "10 frames, with the source's audio" in capsys.readouterr().out
    assert main([*driven, "--preset", "pose", "--set", "head_yaw=20", "-o", str(outputs["edited"])]) == 0
    frames = {name: FrameReader(path)[:10] for name, path in outputs.items()}
    assert probe(outputs["driven"]).frame_count == probe(outputs["edited"]).frame_count == 10
    assert not torch.equal(frames["own"], frames["driven"])
    assert not torch.equal(frames["driven"], frames["edited"])
    record = json.loads(read_tags(outputs["edited"])["description"])
    assert record["policy"]["rotation"]["mode"] == "relative"
    assert record["edits"]["sliders"] == {"head_yaw": 20}


def test_a_light_that_the_training_never_showed_is_held_unless_it_is_wanted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, videos = words(folder, "--set", "brightness=-60"), [tmp_path / "held.mp4", tmp_path / "any.mp4"]
    assert main([*command, "-o", str(videos[0])]) == 0
    assert "brightness: -60 % was asked for" in capsys.readouterr().out
    assert main([*command, "--any-light", "-o", str(videos[1])]) == 0
    assert "was asked for" not in capsys.readouterr().out
    held, asked = (FrameReader(path)[:] for path in videos)
    assert not torch.equal(held, asked)


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        (["--set", "head_jaw=3"], "did you mean 'head_yaw'"),
        (["--set", "head_yaw=99"], "out of range"),
        (["--set", "head_yaw=far"], "give a name and a number"),
        (["--set", "head_yaw"], "give a name and a number"),
        (["--edit", "missing.yaml"], "missing.yaml: no such edit file"),
    ],
)
def test_what_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], added: list[str], sentence: str
) -> None:
    assert main([*words(folder, *added), "-o", str(tmp_path / "out.mp4")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert not list(tmp_path.iterdir())


def test_what_is_missing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, out = ["edit", "--target", str(folder / "target")], ["-o", str(tmp_path / "out.mp4")]
    for command, sentence in (
        (["edit"], "needs --target"),
        (target, "needs --target"),
        ([*target, "-o", str(tmp_path / "out.avi")], "written as .mp4"),
        (["edit", "--target", str(tmp_path / "no.mp4"), *out], "no such track or video"),
        ([*target, *out], "there is nothing to edit"),
        ([*target, *out, "--set", "head_yaw=3"], "give a checkpoint"),
        ([*target, *out, "--remove-hair", "--set", "head_yaw=3"], "give a checkpoint"),
        ([*target, *out, "--remove-hair", "--preset", "eye-contact"], "give a checkpoint"),
        (words(folder, *out, "--preset", "pose"), "source"),
        (words(folder, *out, "--source", str(tmp_path / "no.mp4")), "no such track or video"),
        (words(folder, *out, "--edit", str(_late(tmp_path))), "the clip lasts from 0 to 4.8"),
    ):
        assert main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert sentence in line


def _late(folder: Path) -> Path:
    path = folder / "late.json"
    path.write_text(json.dumps({"sliders": {"head_yaw": {"keys": [[0, 0], [7, 3]]}}}))
    return path
