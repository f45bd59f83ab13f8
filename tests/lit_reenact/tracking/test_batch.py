"""Tracking of many videos: a bad file fails alone, finished tracks are skipped, an interrupted run continues."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from lit_reenact.commands.main import main
from lit_reenact.core.errors import ReenactError
from lit_reenact.tracking.tracker import TrackerSettings, stored_settings
from lit_reenact.tracking.trackfile import load_track
from tests.lit_reenact.tracking.test_jobs import manifest
from tests.video_files import write_video


def test_a_face_model_is_identified_by_its_content_not_its_path(
    shared_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finished track is also skipped by a command from another folder, where the path of the model is spelt otherwise."""
    (tmp_path / "model.npz").symlink_to(shared_dir / "assets" / "ict_facekit.npz")
    (tmp_path / "below").mkdir()
    stored = []
    for folder, spelling in (
        (tmp_path, "model.npz"),
        (tmp_path / "below", "../model.npz"),
        (tmp_path, str(tmp_path / "model.npz")),
    ):
        monkeypatch.chdir(folder)
        stored.append(stored_settings(TrackerSettings(face_model=spelling), size=128))
    assert stored[0] == stored[1] == stored[2]
    assert stored_settings(TrackerSettings(), size=128) != stored[0]


def test_tracks_from_before_protocols_are_of_the_default_one() -> None:
    """They are not made again, because the default protocol is not stored; every other one is."""
    assert "protocol" not in stored_settings(TrackerSettings(), size=128)
    assert stored_settings(TrackerSettings(protocol="insta-350"), size=128)["protocol"] == "insta-350"


def test_the_protocol_says_what_the_person_is_learned_from() -> None:
    assert TrackerSettings().actor_frames(2350, 30.0) == 1645
    assert TrackerSettings(protocol="insta-350").actor_frames(2350, 30.0) == 1800
    assert TrackerSettings(protocol="flashavatar-500").actor_frames(3000, 25.0) == 2250
    assert TrackerSettings(protocol="first-1800-last-600").actor_frames(2400, 30.0) == 1620
    with pytest.raises(ReenactError, match=r"actor_fraction is 0\.5, but the protocol insta-350 counts frames"):
        TrackerSettings(protocol="insta-350", actor_fraction=0.5)


def test_a_video_too_short_for_the_protocol_is_refused_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = portrait_video(tmp_path / "short.mp4", 0)
    assert main(["track", str(video), "-o", str(tmp_path / "tracks"), "--size", "64", "--protocol", "flashavatar-500"]) == 2
    assert re.search(r"short\.mp4: protocol flashavatar-500 needs \d+ frames .* but the clip has \d+:", capsys.readouterr().err)
    assert not list((tmp_path / "tracks").glob("**/*.safetensors"))


def portrait_video(path: Path, shift: int) -> Path:
    photograph = astronaut()
    moves = [round(6 * np.sin((k + shift) / 5)) for k in range(24)]
    return write_video(path, [np.ascontiguousarray(photograph[:256, 96 + m : 352 + m]) for m in moves])


def test_a_manifest_is_tracked_past_a_bad_file_and_not_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2):
        portrait_video(tmp_path / f"good{number}.mp4", shift=number)
    (tmp_path / "bad.mp4").write_text("no video")
    listed = manifest(tmp_path, "good0.mp4\nbad.mp4\ngood1.mp4\tsecond\n")

    def track(output: str, *options: str) -> tuple[int, str, str]:
        code = main(["track", "--manifest", str(listed), "-o", str(tmp_path / output), "--size", "128", *options])
        captured = capsys.readouterr()
        return code, captured.out, captured.err.rpartition("lit-reenact: ")[2]

    code, out, last = track("two", "--jobs", "2")
    assert code == 2
    assert "2 tracked, 0 skipped, 1 failed" in out
    assert "bad.mp4 is not a video" in last
    assert not list((tmp_path / "two").rglob(".*"))

    written = {name: (tmp_path / "two" / name / "track.safetensors").stat().st_mtime_ns for name in ("good0", "second")}
    code, out, _ = track("two", "--shard", "1/2")
    assert (code, "0 tracked, 2 skipped, 0 failed" in out) == (0, True)
    assert written == {name: (tmp_path / "two" / name / "track.safetensors").stat().st_mtime_ns for name in written}

    code, out, _ = track("one", "--jobs", "1")
    assert "2 tracked, 0 skipped, 1 failed" in out
    for name in written:
        one, two = (load_track(tmp_path / run / name) for run in ("one", "two"))
        torch.testing.assert_close(one.parameters.expression, two.parameters.expression, atol=1e-4, rtol=0)
        torch.testing.assert_close(one.parameters.rotation, two.parameters.rotation, atol=1e-4, rtol=0)
        assert one.info == two.info


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(tmp_path: Path) -> None:
    for number in range(3):
        portrait_video(tmp_path / f"{number}.mp4", shift=number)
    listed = manifest(tmp_path, "0.mp4\n1.mp4\n2.mp4\n")
    words = [
        sys.executable,
        "-m",
        "lit_reenact.commands.main",
        "track",
        "--manifest",
        str(listed),
        "-o",
        str(tmp_path / "out"),
        "--jobs",
        "2",
    ]
    command = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while command.poll() is None and not list((tmp_path / "out").glob("*/unfinished/.clip.mp4.*")):
        time.sleep(0.02)
    os.killpg(command.pid, signal.SIGINT)  # like a terminal
    out, err = command.communicate(timeout=60)
    assert command.returncode == 130
    assert "Traceback" not in out + err
    assert err.strip().splitlines()[-1].startswith("lit-reenact: interrupted")
    assert not [path for path in (tmp_path / "out").rglob(".*") if path.is_file()]
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert len(list((tmp_path / "out").glob("*/track.safetensors"))) == 3
