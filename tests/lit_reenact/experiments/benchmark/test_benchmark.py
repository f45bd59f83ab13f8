"""Benchmarks: their files, ranks by hand, and a whole one of two trained methods on two clips."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from lit_reenact.commands.main import main
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.paths import config_path
from lit_reenact.evaluation.heldout import held_out_split
from lit_reenact.evaluation.intervals import Estimate
from lit_reenact.evaluation.statistics import Summary
from lit_reenact.experiments.ablation import training
from lit_reenact.experiments.ablation.measurements import scale_frames
from lit_reenact.experiments.ablation.table import Entry, Row
from lit_reenact.experiments.benchmark.definition import read_benchmark
from lit_reenact.experiments.benchmark.ranks import mean_ranks, metric_ranks
from lit_reenact.provenance.verifying import read_signature
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video import probe
from tests.factories import make_track
from tests.lit_reenact.experiments.ablation.test_ablation import BASE

CLIPS = ("anna", "ben")
STEPS = 20


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tracks, another system's frames of both, and two configurations."""
    folder = tmp_path_factory.mktemp("benchmark")
    for seed, name in enumerate(CLIPS):
        make_track(folder / name, size=32, seed=seed)
        clip = TrackedClip.load(folder / name)
        (folder / "theirs" / name).mkdir(parents=True)
        for number, frame in enumerate(clip.read(held_out_split(clip).test, 32)):
            Image.fromarray(frame.flip(1).numpy()).save(folder / "theirs" / name / f"{number:03}.png")
    (folder / "base.yaml").write_text(BASE.replace("loggers: []", "loggers: [csv]"))
    (folder / "wide.yaml").write_text("model: {generator: {channels: 6}}")
    return folder


def content(place: Path, **changes: Any) -> dict[str, Any]:
    methods = {
        "small": {"config": str(place / "base.yaml")},
        "wide": {"config": str(place / "base.yaml"), "changes": str(place / "wide.yaml")},
        "warped": {"baseline": "nearest frame, warped"},
        "their & ours_1": {"frames": f"{place}/theirs/{{clip}}"},
    }
    clips = [str(place / name) for name in CLIPS]
    return {"clips": clips, "methods": methods, "seeds": 1, "steps": STEPS, "size": 32, **changes}


def write(place: Path, **changes: Any) -> Path:
    path = place / "all.yaml"
    path.write_text(yaml.safe_dump(content(place, **changes), sort_keys=False))
    return path


def run(*words: object) -> int:
    return main(["benchmark", *map(str, words)])


@pytest.fixture(scope="module")
def output(place: Path) -> Path:
    assert run(write(place), "-o", place / "out") == 0
    return place / "out"


@pytest.mark.slow
def test_every_method_is_measured_on_both_clips(output: Path) -> None:
    table = json.loads((output / "table.json").read_text())
    assert list(table["methods"]) == ["small", "wide", "warped", "their & ours_1"]
    for name, method in table["methods"].items():
        value = method["metrics"]["face_l1"]
        assert value["mean"] == pytest.approx(sum(value["people"][clip]["mean"] for clip in CLIPS) / 2, abs=1e-5)
        trained = name in ("small", "wide")
        assert [method["costs"][cost] is not None for cost in method["costs"]] == [trained] * 3
    assert table["methods"]["wide"]["costs"]["parameters"] > table["methods"]["small"]["costs"]["parameters"]
    assert {"lpips", "face_lpips", "csim_dlib", "landmarks_68"} <= set(table["methods"]["small"]["metrics"])


@pytest.mark.slow
def test_the_numbers_are_those_of_evaluate(place: Path, output: Path, tmp_path: Path) -> None:
    run_folder = output / "anna" / "wide" / "seed-0"
    assert main(["evaluate", "--target", str(place / "anna"), "--checkpoint", str(run_folder), "-o", str(tmp_path)]) == 0
    methods = json.loads((tmp_path / "metrics.json").read_text())["methods"]
    table = json.loads((output / "table.json").read_text())["methods"]
    for theirs, ours in (("model", "wide"), ("nearest frame, warped", "warped")):
        for metric in ("face_l1", "psnr", "lpips", "warped_error"):
            own = table[ours]["metrics"][metric]["people"]["anna"]["mean"]
            assert own == pytest.approx(methods[theirs][metric]["mean"], rel=1e-4)


@pytest.mark.slow
def test_csv_markdown_and_latex_hold_the_numbers_of_the_json(output: Path) -> None:
    table = json.loads((output / "table.json").read_text())["methods"]
    with (output / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        numbers = table[row["method"]]["metrics"][row["metric"]]
        numbers = numbers if row["clip"] == "all" else numbers["people"][row["clip"]]
        if row["mean"]:
            assert float(row["mean"]) == pytest.approx(numbers["mean"], rel=1e-4, abs=1e-5)
    assert {row["clip"] for row in rows} == {"all", *CLIPS}
    lines = [line.strip() for line in (output / "table.tex").read_text().splitlines() if line.endswith("\\\\")]
    assert [line.split(" & ")[0] for line in lines] == ["Method", "small", "wide", "warped", r"their \& ours\_1"]
    for line, name in zip(lines[1:4], ("small", "wide", "warped"), strict=True):
        cell = re.sub(r"\\textbf{(.*?)}", r"\1", line.split(" & ")[1])
        assert float(cell) == pytest.approx(table[name]["metrics"]["face_l1"]["mean"], abs=0.006)
    assert "| their & ours_1 |" in (output / "table.md").read_text()


@pytest.mark.slow
def test_the_page_shows_all_side_by_side_in_marked_videos(output: Path) -> None:
    page = (output / "report.html").read_text()
    assert page.count("<video") == 2
    assert "real | small | wide | warped | their &amp; ours_1" in page
    video = output / "videos" / "anna.mp4"
    assert (probe(video).width, probe(video).height, probe(video).frame_count) == (5 * 32, 32, 19)
    assert read_signature(video) is not None


@pytest.mark.slow
def test_the_same_command_trains_and_measures_nothing_again(place: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in output.glob("table.*")}
    measured = [path.stat().st_mtime_ns for path in sorted((output / "measurements").iterdir())]
    monkeypatch.setattr(training, "run_training", lambda *_, **__: pytest.fail("it trained again"))
    assert run(write(place), "-o", output) == 0
    assert {path: path.read_bytes() for path in output.glob("table.*")} == before
    assert [path.stat().st_mtime_ns for path in sorted((output / "measurements").iterdir())] == measured


def test_a_cluster_gets_a_task_for_each_training(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["benchmark", str(write(place, seeds=2)), "-o", str(place / "cluster"), "--slurm"]
    monkeypatch.setattr("sys.argv", ["lit-reenact", *words])
    assert main(words) == 0
    line = capsys.readouterr().out
    assert line.startswith("sbatch --array=0-7 ")
    assert "benchmark_array.sbatch" in line
    assert "--slurm" not in line
    tasks: list[Sequence[str]] = []
    monkeypatch.setattr(training, "become_training", lambda arguments, _: tasks.append(arguments))
    for member in range(8):
        assert run(place / "all.yaml", "-o", place / "cluster", "--member", member) == 0
    trained = {tuple(task[task.index(key) + 1] for key in ("--track", "--name", "--seed_everything")) for task in tasks}
    assert trained == {(str(place / clip), name, seed) for clip in CLIPS for name in ("small", "wide") for seed in "01"}
    assert run(place / "all.yaml", "-o", place / "cluster", "--member", 8) == 2


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run(*words) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"people": 3}, "no setting people"),
    "no clips": ({"clips": []}, "names no clips"),
    "no methods": ({"methods": {}}, "names no methods"),
    "unknown protocol": ({"protocol": "mine"}, "no protocol mine; choose one of last-fifth"),
    "no seeds": ({"seeds": 0}, "seeds is 0"),
    "unknown baseline": ({"methods": {"a": {"baseline": "best"}}}, "no baseline 'best'"),
    "two kinds": (
        {"methods": {"a": {"baseline": "mean frame", "frames": "x/{clip}"}}},
        "give it one of config, baseline, frames",
    ),
    "one folder for all": ({"methods": {"a": {"frames": "theirs"}}}, "write {clip} into frames theirs"),
    "unknown setting": ({"methods": {"a": {"baseline": "mean frame", "size": 3}}}, "no setting size beside baseline"),
    "no configuration": ({"methods": {"a": {"config": "none.yaml"}}}, "no configuration none.yaml"),
    "a slash": ({"methods": {"a/b": {"baseline": "mean frame"}}}, "cannot hold a slash"),
    "a folder of its own": ({"methods": {"videos": {"baseline": "mean frame"}}}, "or be videos or measurements"),
    "a clip too short": ({"protocol": "insta-350"}, "insta-350 needs"),
    "a clip too small": ({"size": 256}, "fewer than size 256"),
}


@pytest.mark.parametrize(("changes", "words"), BROKEN.values(), ids=BROKEN)
def test_bad_input_is_refused_before_anything_is_trained(
    place: Path, changes: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    message = refused(capsys, write(place, **changes), "-o", tmp_path / "out")
    assert words in message
    assert not (tmp_path / "out").exists()


def test_a_missing_frame_is_refused(place: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shutil.copytree(place / "theirs", tmp_path / "theirs")
    (tmp_path / "theirs" / "ben" / "003.png").unlink()
    methods = {"theirs": {"frames": f"{tmp_path}/theirs/{{clip}}"}}
    message = refused(capsys, write(place, methods=methods), "-o", tmp_path / "out")
    assert "theirs/ben holds 18 pictures, but there must be 19" in message


def test_a_method_given_twice_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("clips: [a]\nmethods:\n  a: {baseline: mean frame}\n  a: {baseline: nearest frame}\n")
    assert "a is given twice" in refused(capsys, path)


@pytest.mark.slow
def test_a_run_that_is_not_finished_has_no_values_costs_and_video(place: Path, output: Path, tmp_path: Path) -> None:
    kept = shutil.copytree(output, tmp_path / "kept")
    methods = content(place)["methods"]
    try:
        path = write(place, steps=STEPS + 20, methods={"warped": methods["warped"], "small": methods["small"]})
        assert run(path, "-o", output, "--table-only") == 0
        small = json.loads((output / "table.json").read_text())["methods"]["small"]
        assert small["problems"] == [f"{clip}, seed 0: not trained yet" for clip in CLIPS]
        assert (small["metrics"], set(small["costs"].values())) == ({}, {None})
        assert "real | warped</p>" in (output / "report.html").read_text()
    finally:
        shutil.rmtree(output)
        shutil.copytree(kept, output)


@pytest.mark.parametrize("broken", ["configuration", "key"])
def test_broken_yaml_is_refused_in_a_sentence(
    broken: str, place: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "broken.yaml").write_text("data: [\n")
    path = tmp_path / "file.yaml"
    path.write_text(f"clips: [{place / 'anna'}]\nmethods: {{? [x] : {{baseline: mean frame}}}}\n")
    if broken == "configuration":
        path = write(place, methods={"own": {"config": str(tmp_path / "broken.yaml")}})
    assert "is no YAML" in refused(capsys, path)


def test_a_configuration_with_a_split_of_its_own_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text(BASE.replace("data:\n", "data:\n  split: {protocol: insta-350}\n"))
    message = refused(capsys, write(place, methods={"own": {"config": str(tmp_path / "own.yaml")}}))
    assert "protocol last-fifth" in message
    assert "own.yaml of method own sets data.split" in message


def row(name: str, **values: tuple[float, float]) -> Row:
    def summary(value: float) -> Summary:
        return Summary(Estimate(value, value, value), (), 0.0, None)

    metrics = {
        metric: Summary(Estimate(sum(pair) / 2, 0, 0), (), 0.0, None, {"anna": summary(pair[0]), "ben": summary(pair[1])})
        for metric, pair in values.items()
    }
    return Row(Entry(name, "", {}, {}, {}), metrics)


def test_ranks_by_hand() -> None:
    rows = [
        row("a", face_l1=(1.0, 5.0), psnr=(30.0, 20.0), high_frequency=(0.5, 0.9)),
        row("b", face_l1=(2.0, 3.0), psnr=(30.0, 25.0), high_frequency=(1.1, 1.2)),
        row("c", face_l1=(3.0, 4.0), psnr=(10.0, 15.0), high_frequency=(0.8, 1.6)),
    ]
    assert metric_ranks(rows, "face_l1") == {"a": 2.0, "b": 1.5, "c": 2.5}
    assert metric_ranks(rows, "psnr") == {"a": 1.75, "b": 1.25, "c": 3.0}  # a and b tie on anna
    assert metric_ranks(rows, "high_frequency") == {"a": 2.0, "b": 1.5, "c": 2.5}  # by nearness to 1
    assert mean_ranks(rows, ["face_l1", "psnr"]) == {"a": 1.875, "b": 1.375, "c": 2.75}


def test_frames_are_scaled_to_the_common_size() -> None:
    frames = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    assert torch.equal(scale_frames(frames, 16), frames)
    halved = scale_frames(frames, 8)
    assert torch.allclose(halved[0, 0, 0].float(), frames[0, :2, :2].float().mean((0, 1)), atol=0.51)
    larger = scale_frames(torch.full((1, 4, 4, 3), 77, dtype=torch.uint8), 12)
    assert larger.shape == (1, 12, 12, 3)
    assert larger.unique().tolist() == [77]


def test_the_shipped_benchmark_names_shipped_configurations(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = "lit_reenact.experiments.benchmark.definition.read_people"
    monkeypatch.setattr(named, lambda clips: {clip: clip for clip in clips})
    path = config_path("demo").parent / "benchmarks" / "clips.yaml"
    benchmark = read_benchmark(path)
    assert path.read_text().startswith("# lit-reenact benchmark configs/benchmarks/clips.yaml\n#\n# ")
    assert [method.name for method in benchmark.trained] == ["paper", "demo"]
    assert sum(bool(method.baseline) for method in benchmark.methods) == 4
    with pytest.raises(ReenactError, match="cannot be read"):
        read_benchmark(tmp_path / "none.yaml")
