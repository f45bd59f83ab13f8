"""Many videos: the list, the shares of a cluster, and that one bad file costs only itself."""

from __future__ import annotations

import os
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
from lit_reenact.tracking.batch import Job, in_processes, make_jobs, parse_shard, read_manifest, shard
from lit_reenact.tracking.tracker import TrackerSettings, stored_settings
from lit_reenact.tracking.trackfile import load_track
from tests.video_files import write_video


def manifest(folder: Path, text: str) -> Path:
    path = folder / "videos.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_manifest_by_hand(tmp_path: Path) -> None:
    text = "# people\n\na.mp4\n  sub/b.mov , beth\n/abs/c, d.mp4\tcarl\n\t\n"
    assert read_manifest(manifest(tmp_path, text)) == [
        (tmp_path / "a.mp4", "a"),
        (tmp_path / "sub/b.mov", "beth"),
        (Path("/abs/c, d.mp4"), "carl"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("good.mp4\na.mp4,b,c\n", "line 2: 'a.mp4,b,c'"),
        (",name\n", "line 1"),
        ("a.mp4\t../up\n", "line 1"),
        ("a.mp4,\n", "line 1"),
        ("# nothing\n", "names no video"),
    ],
)
def test_bad_manifests(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match=reason):
        read_manifest(manifest(tmp_path, text))


def test_manifests_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(bytes(range(256)))
    with pytest.raises(ReenactError, match=r"video\.mp4 is no text file"):
        read_manifest(tmp_path / "video.mp4")
    with pytest.raises(ReenactError, match=r"missing\.txt cannot be read"):
        read_manifest(tmp_path / "missing.txt")


def test_a_video_counts_once_and_two_of_one_name_are_refused(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "clip.mp4", tmp_path / "b" / "clip.mp4"
    assert make_jobs([(first, "one"), (first, "one"), (second, "two")], tmp_path) == [
        Job(first, tmp_path / "one"),
        Job(second, tmp_path / "two"),
    ]
    with pytest.raises(ReenactError, match=r"a/clip\.mp4 and .*b/clip\.mp4"):
        make_jobs([(first, "clip"), (second, "clip")], tmp_path)


@pytest.mark.parametrize("count", [1, 3, 7, 20])
def test_shards_are_disjoint_and_complete(count: int) -> None:
    jobs = [Job(Path(f"{k}.mp4"), Path(str(k))) for k in range(13)]
    parts = [shard(jobs, index, count) for index in range(1, count + 1)]
    assert sorted((job for part in parts for job in part), key=jobs.index) == jobs
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_shard_by_hand() -> None:
    assert parse_shard("2/8") == (2, 8)
    for wrong in ("0/8", "9/8", "2", "a/b", "-1/2", "1/"):
        with pytest.raises(ReenactError, match="--shard"):
            parse_shard(wrong)


def test_a_process_that_dies_costs_one_item() -> None:
    done = dict(in_processes([1, 0, 2], _exit_on_zero, processes=2))
    assert done == {1: 10, 0: "its process ended with code 7, perhaps for want of memory", 2: 20}


def test_a_face_model_is_known_by_its_content_not_its_path(
    shared_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command from another folder, where the path is spelt otherwise, skips what is done."""
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


class _Stillborn:
    """A function whose process ends before it has read an item."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (7,)

    def __call__(self, item: int) -> int:
        return item


def test_processes_that_die_before_they_begin() -> None:
    assert list(in_processes([1, 2], _Stillborn(), processes=1)) == [
        (item, "its process ended with code 7, perhaps for want of memory") for item in (1, 2)
    ]


def _exit_on_zero(item: int) -> int:
    if item == 0:
        os._exit(7)
    return 10 * item


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
    os.killpg(command.pid, signal.SIGINT)  # as a terminal does
    out, err = command.communicate(timeout=60)
    assert command.returncode == 130
    assert "Traceback" not in out + err
    assert err.strip().splitlines()[-1].startswith("lit-reenact: interrupted")
    assert not [path for path in (tmp_path / "out").rglob(".*") if path.is_file()]
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert len(list((tmp_path / "out").glob("*/track.safetensors"))) == 3
