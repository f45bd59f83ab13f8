"""``lit-reenact reenact``: several sources, names of outputs, checkpoints in run folders, and refusals."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch

from lit_reenact.commands.main import main
from lit_reenact.commands.reenact import output_files
from lit_reenact.core.errors import ReenactError
from lit_reenact.video import probe
from tests.factories import make_module, make_track


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a target, two sources with another frame rate, and a run."""
    folder = tmp_path_factory.mktemp("reenact")
    make_track(folder / "target", frames=24, size=32)
    for seed, name in enumerate(("anna", "ben"), 1):
        make_track(folder / name, frames=24, size=32, fps=Fraction(10), seed=seed)
    module = make_module()
    checkpoint = folder / "run" / "seed-0" / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir(parents=True)
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}, checkpoint)
    return folder


def words(folder: Path, *sources: Path, checkpoint: Path | None = None) -> list[str]:
    command = ["reenact", "--target", str(folder / "target"), "--checkpoint", str(checkpoint or folder / "run")]
    return command + (["--source", *map(str, sources)] if sources else [])


def test_one_failing_source_does_not_stop_the_others(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [folder / "anna", folder / "nobody.safetensors", folder / "ben"]
    assert main([*words(folder, *sources), "-o", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert "2 written, 1 failed" in printed.out
    assert "nobody.safetensors" in printed.err.splitlines()[-1]
    for name in ("anna", "ben"):
        info = probe(tmp_path / "out" / f"{name}.mp4")
        assert (info.fps, info.frame_count) == (5, 12)
        assert (tmp_path / "out" / f"{name}_guard.json").is_file()
        assert (tmp_path / "out" / f"{name}_side_by_side.mp4").is_file()


def test_a_finished_video_of_many_is_not_made_again(folder: Path, tmp_path: Path) -> None:
    command = [*words(folder, folder / "anna", folder / "ben"), "-o", str(tmp_path)]
    assert main(command) == 0
    videos = [tmp_path / name for name in ("anna.mp4", "anna_side_by_side.mp4", "ben.mp4", "ben_side_by_side.mp4")]
    before = [path.stat().st_mtime_ns for path in videos]
    assert main(command) == 0
    assert [path.stat().st_mtime_ns for path in videos] == before
    assert main([*command, "--label"]) == 0
    assert all(path.stat().st_mtime_ns > time for path, time in zip(videos, before, strict=True))


def test_nobody_drives_eye_contact(folder: Path, tmp_path: Path) -> None:
    assert main([*words(folder), "--preset", "eye-contact", "-o", str(tmp_path)]) == 0
    assert probe(tmp_path / "target.mp4").frame_count == 24


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        (["--preset", "dancing"], "dancing"),
        (["--policy", "missing.yaml"], "missing.yaml"),
        (["--full-frame"], "--full-frame needs --original"),
        (["--original", "video.mp4"], "for --full-frame alone"),
        (["--full-frame", "--original", "missing.mp4"], "missing.mp4"),
        (["--still"], "for --full-frame alone"),
    ],
)
def test_refused(added: list[str], sentence: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words(folder, folder / "anna"), "-o", str(tmp_path / "out.mp4"), *added]) == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.glob("*out*"))


def test_nobody_drives_what_needs_somebody(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words(folder), "-o", str(tmp_path / "out.mp4")]) == 2
    assert "needs --source" in capsys.readouterr().err


def test_a_run_folder_without_a_checkpoint(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run" / "seed-0").mkdir(parents=True)
    refused = words(folder, folder / "anna", checkpoint=tmp_path / "run")
    assert main([*refused, "-o", str(tmp_path / "out.mp4")]) == 2
    assert "holds no checkpoint" in capsys.readouterr().err
    (tmp_path / "run" / "seed-1").mkdir()
    assert main([*refused, "-o", str(tmp_path / "out.mp4")]) == 2
    assert "holds 2 runs" in capsys.readouterr().err


def test_where_videos_are_written(tmp_path: Path) -> None:
    a, b, video = tmp_path / "a", tmp_path / "b", tmp_path / "c.v2.mp4"
    video.touch()
    assert output_files([a], tmp_path / "one.mp4") == [tmp_path / "one.mp4"]
    assert output_files([a], tmp_path / "new") == [tmp_path / "new" / "a.mp4"]
    several = [a, b / "track.safetensors", video]
    assert output_files(several, tmp_path) == [tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "c.v2.mp4"]
    with pytest.raises(ReenactError, match="one file for 2 sources"):
        output_files([a, b], tmp_path / "one.mp4")
    with pytest.raises(ReenactError, match=r"written as \.mp4"):
        output_files([a], tmp_path / "one.avi")
    with pytest.raises(ReenactError, match="both be written"):
        output_files([a, tmp_path / "other" / "a"], tmp_path)
