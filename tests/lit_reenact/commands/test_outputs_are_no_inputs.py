"""No command writes over its inputs, however their paths are spelt: it is refused before any work."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from lit_reenact.app.driving import track_upload
from lit_reenact.app.export import export
from lit_reenact.commands.main import build_parser, main
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.core.paths import config_path
from lit_reenact.training.cli import parse_config

MADE = "--target target --checkpoint net.ckpt"


@dataclass(frozen=True)
class Case:
    """A command that would write over one of its inputs.

    Attributes:
        words: words of the command line; INPUT stands for the input.
        output: path that the command would write.
        content: content of the input, where the command must read it to know what it would write.
    """

    words: str
    output: str
    content: str = "a recording that nobody can make again"


CASES = {
    "reenact, source": Case(f"reenact --source INPUT {MADE} -o v/a.mp4", "v/a.mp4"),
    "reenact, one of several sources": Case(f"reenact --source other.mp4 INPUT {MADE} -o v", "v/a.mp4"),
    "reenact, source and folder": Case(f"reenact --source INPUT {MADE} -o v", "v/a.mp4"),
    "reenact, original": Case(f"reenact --source other.mp4 {MADE} --full-frame --original INPUT -o v/a.mp4", "v/a.mp4"),
    "reenact, target's video": Case("reenact --source other.mp4 --target INPUT --checkpoint net.ckpt -o v/a.mp4", "v/a.mp4"),
    "reenact, beside": Case(f"reenact --source INPUT {MADE} -o v/a.mp4", "v/a_side_by_side.mp4"),
    "reenact, report": Case("reenact --source other.mp4 --target target --checkpoint INPUT -o v/a.mp4", "v/a_guard.json"),
    "reenact, unfinished report": Case(
        "reenact --source other.mp4 --target target --checkpoint INPUT -o v/a.mp4", "v/.a_guard.json.part"
    ),
    "reenact, pieces": Case(f"reenact --source INPUT {MADE} -o v/a.mp4", "v/.a.mp4.unfinished/00000.mp4"),
    "reenact, working clip": Case(f"reenact --source INPUT {MADE} --tracks tracks -o v/a.mp4", "tracks/clip/clip.mp4"),
    "edit, original": Case(f"edit {MADE} --remove-hair --full-frame --original INPUT -o v/a.mp4", "v/a.mp4"),
    "edit, source": Case(f"edit {MADE} --source INPUT -o v/a.mp4", "v/a.mp4"),
    "edit, target's video": Case("edit --target INPUT --checkpoint net.ckpt --set head_yaw=1 -o v/a.mp4", "v/a.mp4"),
    "edit, edit file": Case(f"edit {MADE} --edit INPUT -o v/a.mp4", "v/a.mp4"),
    "edit, beside": Case(f"edit {MADE} --source INPUT -o v/a.mp4", "v/a_side_by_side.mp4"),
    "edit, working clip": Case(f"edit {MADE} --source INPUT --tracks tracks -o v/a.mp4", "tracks/clip/clip.mp4"),
    "demo, target": Case("demo --target INPUT --source other.mp4 -o v", "v/reenactment.mp4"),
    "demo, source": Case("demo --target other.mp4 --source INPUT -o v", "v/self_reenactment.mp4"),
    "demo, working clip": Case("demo --target other.mp4 --source INPUT -o v", "v/tracks/source/clip.mp4"),
    "demo, network to be trained again": Case("demo --target INPUT --source other.mp4 --retrain -o v", "v/run/seed-0/a.mp4"),
    "live, input": Case(f"live --input INPUT {MADE} --record v/a.mp4", "v/a.mp4"),
    "live, checkpoint": Case("live --input other.mp4 --target target --checkpoint INPUT --record v/a.mp4", "v/a.mp4"),
    "export": Case("export --checkpoint INPUT -o v/net.onnx", "v/net.onnx"),
    "track": Case("track other.mp4 INPUT -o tracks", "tracks/clip/clip.mp4"),
    "track, unfinished": Case("track INPUT -o tracks", "tracks/a/unfinished/a.mp4"),
    "track, manifest": Case("track --manifest INPUT -o tracks", "tracks/clip/report.html", "../../other.mp4\tclip\n"),
    "evaluate, checkpoint": Case("evaluate --target target --checkpoint INPUT -o v", "v/metrics.json"),
    "evaluate, network": Case("evaluate --target target --checkpoint net.ckpt --fid-model INPUT -o v", "v/frames.csv"),
    "evaluate, manifest": Case("evaluate --manifest INPUT --checkpoint net.ckpt -o v", "v/metrics.json", "../target\n"),
    "evaluate, manifest of several": Case(
        "evaluate --manifest INPUT --checkpoint net.ckpt -o v", "v/people.json", "../target\n../another\n"
    ),
    "ablate, manifest": Case("ablate ablation.yaml --base other.yaml --manifest INPUT -o v", "v/table.csv", "../target\n"),
    "ablate, base": Case("ablate ablation.yaml --base INPUT --track target -o v", "v/table.md"),
    "ablate, file": Case("ablate INPUT --base other.yaml --track target -o v", "v/report.html", "{}"),
    "ablate, checkpoint": Case(
        "ablate ablation.yaml --base INPUT --track target -o v", "v/ablation/seed-1/checkpoints/best.ckpt"
    ),
    "benchmark, file": Case("benchmark INPUT -o v", "v/table.tex", "clips: [target]\nmethods: {a: {baseline: mean frame}}\n"),
    "benchmark, configuration": Case(
        "benchmark INPUT -o v", "v/a/seed-0/config.yaml", "clips: [target]\nmethods: {a: {config: other.yaml}}\n"
    ),
    "sweep, file": Case("sweep INPUT -o v", "v/trials/trials.csv"),
    "sweep, setting": Case("sweep sweep.yaml --set init_from=INPUT -o v", "v/sweep/trial-1/seed-0/checkpoints/best.ckpt"),
    "fit, checkpoint": Case(
        f"fit --config {config_path('debug')} --track target --init_from INPUT --output v --name n",
        "v/n/seed-0/checkpoints/best.ckpt",
    ),
    "fit, configuration": Case(
        "fit --config INPUT --track target --output v --name n", "v/n/seed-0/config.yaml", config_path("debug").read_text()
    ),
}

WRITES_NOTHING = {"doctor", "verify", "validate", "test"}
WRITES_WHEN_ASKED = {"app"}
"""Commands that write later, as a visitor of the page asks; the functions behind the page have tests of their own below."""


def same(given: Path, output: Path) -> Path:
    return output


def dotted(given: Path, output: Path) -> Path:
    return output.parent / "." / ".." / output.parent.name / output.name


def absolute(given: Path, output: Path) -> Path:
    return output.resolve()


def output_links_to_input(given: Path, output: Path) -> Path:
    output.rename(given)
    output.symlink_to(given.resolve())
    return given


def input_links_to_output(given: Path, output: Path) -> Path:
    given.symlink_to(output.resolve())
    return given


def hard_link(given: Path, output: Path) -> Path:
    given.hardlink_to(output)
    return given


SPELLINGS = [same, dotted, absolute, output_links_to_input, input_links_to_output, hard_link]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the files that commands check before they know what they would write."""
    monkeypatch.chdir(tmp_path)
    for name in ("target/track.safetensors", "target/clip.mp4", "another/track.safetensors", "net.ckpt", "other.mp4"):
        put(Path(name), "dummy")
    put(Path("other.yaml"), config_path("debug").read_text())
    put(Path("ablation.yaml"), "model: {window: 1}\n")
    return tmp_path


def put(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def everything(folder: Path) -> dict[str, tuple[bool, int, bytes]]:
    """Return the path of everything in a folder, with its kind, its time of writing and its content."""
    return {
        str(path.relative_to(folder)): (
            path.is_symlink(),
            path.lstat().st_mtime_ns if path.is_file() else 0,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


def refused(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must be refused without any change, and return its sentence."""
    before = everything(folder)
    assert main(words) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert everything(folder) == before
    assert sentence.startswith("lit-reenact: ")
    return sentence


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.__name__)
@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, spelling: Callable[[Path, Path], Path], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = CASES[name]
    output = put(Path(case.output), case.content)
    elsewhere = Path("elsewhere") / output.name
    elsewhere.parent.mkdir()
    given = spelling(elsewhere, output)
    if spelling in (output_links_to_input, hard_link) and only_its_folder(output):
        pytest.skip("what links in a folder lead to stays when the folder goes")
    sentence = refused([word.replace("INPUT", str(given)) for word in case.words.split()], folder, capsys)
    assert str(given) in sentence
    assert "is an input: give another -" in sentence


def only_its_folder(output: Path) -> bool:
    """Tell whether a command names not the file but the folder that holds it as its output."""
    return not output.name.startswith("config") and any(
        part.endswith("unfinished") or part.startswith(("seed-", "trial-")) for part in output.parts[:-1]
    )


def test_every_command_is_here() -> None:
    (commands,) = (action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    tested = {case.words.split()[0] for case in CASES.values()}
    assert tested.isdisjoint(WRITES_NOTHING | WRITES_WHEN_ASKED)
    assert set(commands.choices) == tested | WRITES_NOTHING | WRITES_WHEN_ASKED


@pytest.mark.parametrize("output", ["target/clip.mp4", "target/../target/clip.mp4"])
@pytest.mark.parametrize(
    "words",
    [
        "reenact --source other.mp4 --target TRACK --checkpoint net.ckpt -o",
        "reenact --source TRACK --target other.mp4 --checkpoint net.ckpt -o",
        "edit --target TRACK --checkpoint net.ckpt --set head_yaw=1 -o",
        "live --input other.mp4 --target TRACK --checkpoint net.ckpt --record",
    ],
)
@pytest.mark.parametrize("track", ["target", "target/track.safetensors"])
def test_the_clip_of_a_track(words: str, output: str, track: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "clip.mp4" in refused([*words.replace("TRACK", track).split(), output], folder, capsys)


def test_a_video_is_not_tracked_over_the_track_of_another(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(Path("elsewhere/target.mp4"), "another")
    words = f"reenact --source elsewhere/target.mp4 {MADE} --tracks . -o v/a.mp4"
    assert "give another --tracks" in refused(words.split(), folder, capsys)


def test_the_best_checkpoint_of_a_run_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = put(Path("run/seed-0/checkpoints/best.ckpt"), "weights")
    Path("net.onnx").symlink_to(best.resolve())
    assert "net.onnx" in refused(["export", "--checkpoint", "run", "-o", "net.onnx"], folder, capsys)


def test_pictures_that_are_evaluated(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(Path("v/comparison.png"), "a frame")
    assert "comparison.png" in refused(["evaluate", "--target", "target", "--frames", "v", "-o", "v"], folder, capsys)
    other = "evaluate --target target --checkpoint net.ckpt --also theirs=v -o v"
    assert "comparison.png" in refused(other.split(), folder, capsys)


def test_what_a_manifest_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(Path("tracks/anna/clip.mp4"), "a recording")
    put(Path("list.txt"), "tracks/anna/clip.mp4\tanna\n")
    assert "clip.mp4" in refused(["track", "--manifest", "list.txt", "-o", "tracks"], folder, capsys)


def test_a_run_may_be_told_by_its_own_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--track", "target", "--output", "v", "--name", "n"]
    config = parse_config(["--config", "other.yaml", *words], "validate").plain_config
    own = put(Path("v/n/seed-0/config.yaml"), yaml.safe_dump(config))
    assert main(["fit", "--config", str(own), *words]) == 2
    assert "target/track.safetensors is damaged" in capsys.readouterr().err
    assert main(["fit", "--config", str(own), *words, "--budget.max_batch_steps", "7"]) == 2
    assert "is an input: give another --name" in capsys.readouterr().err


def test_the_page_writes_over_nothing(folder: Path) -> None:
    track: Any = SimpleNamespace(info=SimpleNamespace(source="anna.mp4"))
    target = SimpleNamespace(track=track, folder=Path("target"))
    run = SimpleNamespace(target=target, checkpoint=Path("net.ckpt"))
    session: Any = SimpleNamespace(run=run, performance=SimpleNamespace(source=None))
    original = put(Path("v/anna-edited.mp4"), "a recording")
    upload = put(Path("tracks/clip/clip.mp4"), "a recording")
    before = everything(folder)
    with pytest.raises(ReenactError, match="is an input"):
        export(session, Path("v"), original)
    with pytest.raises(ReenactError, match="is an input"):
        track_upload(upload, Path("tracks"), "builtin")
    assert everything(folder) == before


def test_what_is_allowed(tmp_path: Path) -> None:
    recording = put(tmp_path / "a.mp4", "a recording")
    refuse_overwriting([tmp_path / "b.mp4", tmp_path / "new" / "a.mp4"], [recording, None, tmp_path / "missing.mp4"])
    refuse_overwriting([tmp_path / "copy.mp4"], [put(tmp_path / "other" / "copy.mp4", "a recording")])
    refuse_overwriting([tmp_path], [tmp_path.parent / "beside.mp4"])
    if not (tmp_path / "A.MP4").exists():  # these are two files
        refuse_overwriting([put(tmp_path / "A.MP4", "another")], [recording])


def test_a_folder_that_is_read_and_one_that_is_written(tmp_path: Path) -> None:
    recording = put(tmp_path / "folder" / "a.mp4", "a recording")
    with pytest.raises(ReenactError, match=r"a\.mp4, which is an input: give another --record"):
        refuse_overwriting([recording], [tmp_path / "folder"], "--record")
    with pytest.raises(ReenactError, match=r"a\.mp4, which is an input"):
        refuse_overwriting([tmp_path / "folder"], [recording])
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    with pytest.raises(ReenactError, match=r"a\.mp4, which is an input"):
        refuse_overwriting([tmp_path / "link" / "a.mp4"], [recording])
