"""``lit-reenact live``: a signed recording, and one-line messages for bad input."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lit_reenact.commands.main import main
from lit_reenact.landmarks.following import Points
from lit_reenact.live import camera, session
from lit_reenact.live.page import LivePage
from lit_reenact.provenance import is_ai_generated
from lit_reenact.provenance.verifying import read_signature
from lit_reenact.tracking.trackfile import load_track, save_track
from lit_reenact.video import Frame, probe, read_tags
from tests.factories import make_module
from tests.lit_reenact.live.conftest import Scene, scene

__all__ = ["scene"]


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


@pytest.fixture(autouse=True)
def detector(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(frames: Iterable[Frame], max_faces: int) -> Iterator[Points]:
        for number, _ in enumerate(frames):
            points: Points = scene.points[number : number + 1].numpy()
            yield points

    monkeypatch.setattr(session, "find_faces", find)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    module = make_module()
    path = tmp_path_factory.mktemp("run") / "last.ckpt"
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}, path)
    return path


def words(scene: Scene, checkpoint: Path, *more: str) -> list[str]:
    given = ["live", "--input", str(scene.folder / "clip.mp4"), "--target", str(scene.folder), "--checkpoint", str(checkpoint)]
    return [*given, "--port", "0", "--device", "cpu", "--precision", "float32", "--no-wait", *more]


def test_a_recording_is_signed(scene: Scene, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.mp4"
    more = ["--source-track", str(scene.folder), "--calibration", "0.5", "--record", str(out)]
    assert main(words(scene, checkpoint, *more)) == 0
    printed = capsys.readouterr().out
    assert "Open http://127.0.0.1:" in printed
    assert "44 frames generated of 60 captured" in printed
    info = probe(out)
    assert (info.frame_count, info.width, info.fps) == (44, 32, 30)
    assert is_ai_generated(read_tags(out))
    signature = read_signature(out)
    assert signature is not None
    assert signature.intact


def test_a_recording_is_kept_when_the_camera_disappears(
    scene: Scene, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = camera.iterate_frames

    def disappearing(path: Path) -> Iterator[Frame]:
        for number, frame in enumerate(frames(path)):
            if number == 30:
                raise camera.ReenactError("camera 0 gives no more frames: connect it and run the command again")
            yield frame

    monkeypatch.setattr(camera, "iterate_frames", disappearing)
    out = tmp_path / "out.mp4"
    assert main(words(scene, checkpoint, "--calibration", "0.5", "--record", str(out))) == 2
    assert capsys.readouterr().err.strip() == "lit-reenact: camera 0 gives no more frames: connect it and run the command again"
    assert probe(out).frame_count == 14


def test_bad_input_is_reported_in_a_sentence(
    scene: Scene, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    track = load_track(scene.folder)
    save_track(replace(track, info=replace(track.info, clip_sha256="other")), tmp_path / "other")
    with LivePage(0, dict) as page:
        cases = {
            "--calibration 0": ["--calibration", "0"],
            "60 frames": ["--calibration", "9"],
            "nobody": ["--source-track", str(tmp_path / "nobody")],
            "no such file": ["--input", str(tmp_path / "missing.mp4")],
            "no such checkpoint": ["--checkpoint", str(tmp_path / "missing.ckpt")],
            f"port {page.port}": ["--port", str(page.port)],
        }
        for sentence, more in cases.items():
            assert main(words(scene, checkpoint, *more, "--record", str(tmp_path / "out.mp4"))) == 2
            printed = capsys.readouterr().err.strip().splitlines()
            assert len(printed) == 1, printed
            assert sentence in printed[0]
    assert not (tmp_path / "out.mp4").exists()
    assert threading.active_count() < 5
