"""Ablations: their files, the intervals of three seeds, and a whole study."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from lit_reenact.commands.main import main
from lit_reenact.core.errors import ReenactError
from lit_reenact.evaluation.intervals import Estimate
from lit_reenact.evaluation.statistics import summarise
from lit_reenact.evaluation.table import METRICS
from lit_reenact.experiments.ablation import training
from lit_reenact.experiments.ablation.comparison import PersonResults, refuse_differences
from lit_reenact.experiments.ablation.definition import MIXED, REFERENCE, read_ablations
from lit_reenact.experiments.ablation.measurements import Measurements
from lit_reenact.experiments.ablation.study import Study
from lit_reenact.experiments.ablation.writing import rate_difference
from lit_reenact.experiments.processes import Outcome
from lit_reenact.training import fit
from tests.factories import make_track

BASE = """
model:
  inputs:
    image_size: 32
    window: 3
  generator:
    levels: 3
    channels: 4
    max_channels: 8
  discriminator:
    layers: 1
    channels: 4
  losses:
    lpips: 0.0
data:
  batch_size: 2
  loading:
    workers: 0
budget:
  max_batch_steps: 2
loggers: []
"""


def write(folder: Path, **files: str) -> list[Path]:
    paths = [folder / f"{name}.yaml" for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text)
    return paths


def test_the_reference_comes_first_and_settings_decide_the_question(tmp_path: Path) -> None:
    files = {
        "no_eyes": "model: {inputs: {conditioning: [diffuse]}}",
        "short": "model:\n  inputs:\n    window: 1\n    placement: causal\n",
        "pix2pix": "model: {inputs: {window: 1, conditioning: [landmarks]}}",
        "rough": "tracker: {pose_smoothing: 0.0}",
        "wide": "model: {generator: {channels: 64}}",
    }
    found = read_ablations(write(tmp_path, **files))
    assert [one.name for one in found] == [REFERENCE, *files]
    assert [one.question for one in found] == ["", "conditioning", "window", MIXED, "tracker", "model.generator.channels"]
    assert found[4].changes == {"tracker.pose_smoothing": 0.0}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a", "- 1", "holds no settings"),
        ("a", "model: [", "is no YAML"),
        ("a", "tracker: {pose: 1}", "no setting pose"),
        ("a", "tracker: {pose_smoothing: 1}\nmodel: {inputs: {window: 1}}", "changes both the tracker and model"),
        ("full", "model: {inputs: {window: 1}}", "full is the base as it is"),
    ],
)
def test_a_bad_ablation_is_reported_in_a_sentence(name: str, text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match=words):
        read_ablations(write(tmp_path, **{name: text}))


def test_a_missing_file_and_two_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match="cannot be read: give the YAML files"):
        read_ablations([tmp_path / "nowhere.yaml"])
    (tmp_path / "b").mkdir()
    twins = [*write(tmp_path, a="model: {inputs: {window: 1}}"), *write(tmp_path / "b", a="model: {inputs: {window: 3}}")]
    with pytest.raises(ReenactError, match="are both named a"):
        read_ablations(twins)


def runs_of(*levels: float, frames: int = 120, seed: int = 0, noise: float = 0.0) -> list[Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    return [level + noise * torch.randn(frames, generator=drawn, dtype=torch.float64) for level in levels]


def test_where_frames_agree_the_interval_is_that_of_a_paired_t_test() -> None:
    ours, full = [7.1, 7.5, 6.9], [6.2, 6.9, 6.4]
    found = summarise("l1", runs_of(*ours), runs_of(*full), fps=30.0)
    expected = stats.ttest_rel(ours, full).confidence_interval(0.95)
    assert found.difference is not None
    assert found.difference == pytest.approx((np.mean(ours) - np.mean(full), expected.low, expected.high))
    assert found.mean == pytest.approx((np.mean(ours),) * 3)
    assert found.deviation == pytest.approx(np.std(ours, ddof=1))


def test_where_seeds_agree_the_interval_is_that_of_the_frames() -> None:
    """White noise in blocks: the standard error is that of independent frames, roughly, as four blocks allow."""
    (ours,), (full,) = runs_of(8.0, noise=1.0, seed=1), runs_of(7.0)
    found = summarise("l1", [ours] * 3, [full] * 3, fps=5.0).difference
    assert found is not None
    assert found.value == pytest.approx(float(ours.mean()) - 7)
    reach = stats.t.ppf(0.975, 120 / 5 - 1) * float(ours.std()) / math.sqrt(120)
    assert found.high - found.value == pytest.approx(reach, rel=0.25)
    assert summarise("l1", [ours], [full], fps=5.0).difference == found  # one seed: frames alone


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Lucky trainings and hard frames, both drawn again 200 times; the true difference is 0.3."""
    drawn, inside = np.random.default_rng(0), 0
    for _ in range(200):
        hard = drawn.normal(0, 1, 96)
        ours, full = (
            [torch.tensor(hard + level + drawn.normal(0, 0.2) + drawn.normal(0, 0.6, 96)) for _ in range(3)]
            for level in (5.3, 5.0)
        )
        found = summarise("l1", ours, full, fps=4.0).difference
        assert found is not None
        inside += found.low <= 0.3 <= found.high
    assert 0.92 <= inside / 200 <= 1


def test_a_ratio_of_means_is_compared_as_such() -> None:
    pair = torch.tensor([[2.0, 1.0], [4.0, 3.0]]).repeat(20, 1)  # means 3 and 2
    still = torch.tensor([[2.0, 2.0], [2.0, 2.0]]).repeat(20, 1)
    found = summarise("flicker", [pair], [still], fps=5.0)
    assert found.mean.value == pytest.approx(abs(3 / 2 - 1))
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "bounds", "word"),
    [("l1", (0.1, 0.2), "worse"), ("l1", (-0.2, -0.1), "better"), ("ssim", (0.1, 0.2), "better"), ("l1", (-0.1, 0.2), "")],
)
def test_a_difference_counts_only_where_there_is_no_doubt(name: str, bounds: tuple[float, float], word: str) -> None:
    assert rate_difference(Estimate(sum(bounds) / 2, *bounds), METRICS[name]) == word


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    track = make_track(folder, frames=100)
    assert track.info.actor_frames <= 70
    return folder


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Arguments of each training, which runs in this process: a new one takes seconds to start. One crashes with seed 1."""
    calls: list[list[str]] = []

    def in_process(run: str, words: list[str], log: Path, environment: dict[str, str]) -> Outcome:
        calls.append(words)
        name, seed = (words[words.index(option) + 1] for option in ("--name", "--seed_everything"))
        assert run == f"{name} seed {seed}"
        assert environment["WANDB_RUN_GROUP"] == name
        if (name, seed) == ("window_1", "1"):
            return Outcome("failed", "out of luck")
        fit.run_fit(words)
        return Outcome("finished")

    monkeypatch.setattr(training, "run_training", in_process)
    return calls


def ablate(track: Path, folder: Path, *words: str) -> int:
    files = write(
        folder, window_1="model: {inputs: {window: 1}}", same="model: {inputs: {window: 3}}", long="model: {inputs: {window: 61}}"
    )
    (base,) = write(folder, base=BASE)
    options = ["--base", str(base), "--track", str(track), "--seeds", "2", "-o", str(folder / "out"), *words]
    return main(["ablate", *map(str, files), *options])


def test_a_study_from_files_to_figures(
    track: Path, tmp_path: Path, trained: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ablate(track, tmp_path) == 2  # a run is missing
    assert "window_1 seed 1: failed: out of luck" in capsys.readouterr().err
    assert [words[words.index("--name") + 1] for words in trained] == ["full", "window_1", "full", "window_1"]
    out = tmp_path / "out"
    table = json.loads((out / "table.json").read_text())
    rows: dict[str, Any] = {row["ablation"]: row for row in table["rows"]}
    assert list(rows)[:4] == ["full", "window_1", "same", "long"]
    assert list(rows)[-1] == "mean frame"
    assert rows["full"]["seeds"] == [0, 1]
    assert table["protocol"] == "last-fifth"
    assert rows["window_1"]["problems"] == {"1": "failed: out of luck"}
    assert rows["same"]["problems"]["0"] == "the settings are those of full with this base"
    assert "fewer than a window of 61" in rows["long"]["problems"]["1"]  # this clip is too short for it: no failure
    full, short = rows["full"]["metrics"]["face_l1"], rows["window_1"]["metrics"]["face_l1"]
    assert full["mean"] == pytest.approx(np.mean(full["seeds"]), abs=1e-5)
    assert short["difference"]["mean"] == pytest.approx(short["seeds"][0] - full["seeds"][0], abs=1e-5)
    assert rows["mean frame"]["metrics"]["face_l1"]["difference"]["mean"] == pytest.approx(
        rows["mean frame"]["metrics"]["face_l1"]["mean"] - full["mean"], abs=1e-5
    )
    assert {path.name for path in (out / "figures").iterdir()} == {"window.svg", "baselines.svg"}

    # The same command goes on with what is missing, and the tables are the same.
    files = ["table.csv", "table.json", "table.md", "report.html", "figures/window.svg", "baselines.json"]
    before = {name: (out / name).read_bytes() for name in files}
    assert ablate(track, tmp_path) == 2
    assert [words[words.index("--name") + 1] for words in trained[4:]] == ["window_1"]
    assert {name: (out / name).read_bytes() for name in files} == before
    measured = out / "full" / "seed-0" / "evaluation" / "metrics.json"
    seen = measured.stat().st_mtime_ns

    # Another checkpoint is measured again.
    best = out / "full" / "seed-0" / "checkpoints" / "best.ckpt"
    best.write_bytes((out / "full" / "seed-1" / "checkpoints" / "best.ckpt").read_bytes())
    assert ablate(track, tmp_path, "--table-only") == 0
    assert measured.stat().st_mtime_ns != seen
    again = json.loads((out / "table.json").read_text())["rows"][0]["metrics"]["face_l1"]["seeds"]
    assert again == [full["seeds"][1]] * 2

    # Other settings in the same folder are refused before anything is trained.
    trained.clear()
    assert ablate(track, tmp_path, "--base", str(write(tmp_path, other=BASE.replace("channels: 4", "channels: 8"))[0])) == 2
    assert "holds a run with model." in capsys.readouterr().err
    assert not trained


def test_several_people_have_runs_of_their_own_and_one_table(
    track: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels: list[tuple[str, str]] = []

    def in_process(run: str, words: list[str], log: Path, environment: dict[str, str]) -> Outcome:
        labels.append((run, environment["WANDB_TAGS"]))
        if run == "ben window_1 seed 0":
            return Outcome("failed", "out of luck")
        fit.run_fit(words)
        return Outcome("finished")

    monkeypatch.setattr(training, "run_training", in_process)
    (tmp_path / "anna").symlink_to(track)
    (tmp_path / "people").mkdir()
    make_track(tmp_path / "people", frames=100, seed=1)
    (tmp_path / "people").rename(tmp_path / "ben")
    (tmp_path / "list.txt").write_text("# two people\nanna/\nben\n")
    base, window, levels = write(
        tmp_path, base=BASE, window_1="model: {inputs: {window: 1}}", levels="model: {generator: {levels: 2}}"
    )
    words = ["--base", str(base), "--seeds", "1", "-o", str(tmp_path / "out"), "--manifest", str(tmp_path / "list.txt")]
    assert main(["ablate", str(window), str(levels), *words]) == 2
    assert "window_1 ben, seed 0: failed: out of luck" in capsys.readouterr().err
    names = [f"{name} {one} seed 0" for name in ("anna", "ben") for one in ("full", "window_1", "levels")]
    assert [run for run, _ in labels] == names
    assert labels[3][1] == "ablation,reference,synthetic.mp4,ben"
    out = tmp_path / "out"
    assert (out / "ben" / "levels" / "seed-0" / "checkpoints" / "best.ckpt").is_file()
    assert not (out / "baselines.json").exists()

    table = json.loads((out / "table.json").read_text())
    rows: dict[str, Any] = {row["ablation"]: row for row in table["rows"]}
    assert list(table["people"]) == ["anna", "ben"]
    full, levels_row = (rows[name]["metrics"]["face_l1"] for name in ("full", "levels"))
    values = {name: one["mean"] for name, one in full["people"].items()}
    assert list(values) == ["anna", "ben"]
    assert full["mean"] == pytest.approx(np.mean(list(values.values())), abs=1e-5)
    differences = [levels_row["people"][name]["mean"] - values[name] for name in values]
    assert levels_row["difference"]["mean"] == pytest.approx(np.mean(differences), abs=1e-5)
    assert rows["window_1"]["problems"] == {"anna": {}, "ben": {"0": "failed: out of luck"}}
    alone = rows["window_1"]["metrics"]["face_l1"]
    assert list(alone["people"]) == ["anna"]
    assert alone["difference"]["mean"] == pytest.approx(alone["people"]["anna"]["mean"] - values["anna"], abs=1e-5)
    with (out / "table.csv").open(newline="") as file:
        lines = {(line["ablation"], line["metric"]): line for line in csv.DictReader(file)}
    assert float(lines["full", "face_l1"]["ben"]) == pytest.approx(values["ben"], abs=1e-4)
    assert float(lines["levels", "face_l1"]["anna difference"]) == pytest.approx(differences[0], abs=1e-4)
    assert lines["window_1", "face_l1"]["ben"] == ""
    assert "| levels, ben | " in (out / "table.md").read_text()
    assert "<h3>Each person</h3>" in (out / "report.html").read_text()


def test_a_cluster_gets_a_task_for_each_run_of_each_person(
    track: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("anna", "ben"):
        (tmp_path / name).symlink_to(track)
    calls: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(training, "become_training", lambda words, labels: calls.append((words, labels)))
    monkeypatch.setattr("sys.argv", ["lit-reenact", "ablate", "files", "--slurm"])
    both = ("--track", str(tmp_path / "anna"), str(tmp_path / "ben"))
    (base, one) = write(tmp_path, base=BASE, window_1="model: {inputs: {window: 1}}")
    words = ["ablate", str(one), "--base", str(base), *both, "--seeds", "2", "-o", str(tmp_path / "out")]
    assert main([*words, "--slurm"]) == 0
    assert "--array=0-7 " in capsys.readouterr().out
    assert main([*words, "--member", "7"]) == 0
    ((arguments, labels),) = calls
    assert [arguments[arguments.index(option) + 1] for option in ("--track", "--output", "--name", "--seed_everything")] == [
        *(str(tmp_path / folder) for folder in ("ben", "out/ben")),
        "window_1",
        "1",
    ]
    assert labels == {"WANDB_RUN_GROUP": "window_1", "WANDB_TAGS": "ablation,window,synthetic.mp4,ben"}
    assert main([*words, "--member", "8"]) == 2
    assert "the runs are counted from 0 to 7" in capsys.readouterr().err


def test_results_of_different_sizes_or_protocols_are_not_averaged() -> None:
    def result(size: int, protocol: str) -> PersonResults:
        one = Measurements(range(8), range(8, 10), size, protocol, {})
        return PersonResults(one, {}, one)

    refuse_differences({"anna": result(64, "last-fifth"), "ben": result(64, "last-fifth")})
    for other in (result(32, "last-fifth"), result(64, "insta-350")):
        with pytest.raises(
            ReenactError, match=r"the runs of ben were measured by protocol .*, those of anna by last-fifth at 64"
        ):
            refuse_differences({"anna": result(64, "last-fifth"), "ben": other})


def test_people_that_cannot_be_compared_are_refused_in_a_sentence(
    track: Path, tmp_path: Path, trained: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    (one,) = write(tmp_path, window_1="model: {inputs: {window: 1}}")
    (tmp_path / "other" / track.name).mkdir(parents=True)
    (tmp_path / "list.txt").write_text(f"{track}\n\nnowhere\n")
    (tmp_path / "empty.txt").write_text("# nobody\n")
    words = ["ablate", str(one), "-o", str(tmp_path / "out")]
    for people, sentence in (
        (["--track", track, track], f"{track} is given twice: rename one of the folders"),
        (["--track", track, "--track", tmp_path / "other" / track.name], f"{track.name} has the name of {track}: rename one"),
        (["--manifest", tmp_path / "list.txt"], f"list.txt, line 3: {tmp_path / 'nowhere'} is no track"),
        (["--manifest", tmp_path / "empty.txt"], "empty.txt names no track"),
        (["--manifest", tmp_path / "gone.txt"], "gone.txt cannot be read"),
    ):
        assert main([*words, *map(str, people)]) == 2
        assert sentence in capsys.readouterr().err
    assert not trained


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--base", "nowhere.yaml"], "--base nowhere.yaml: no such configuration"),
        (["--seeds", "0"], "--seeds 0: it takes 1 or more"),
        (["--member", "8"], "the runs are counted from 0 to 7"),
        (["--track", "nowhere"], "nowhere: no such track"),
    ],
)
def test_bad_arguments_are_reported_in_a_sentence(
    words: list[str], sentence: str, track: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ablate(track, tmp_path, *words) == 2
    assert sentence in capsys.readouterr().err


def test_an_unknown_setting_is_found_before_anything_is_trained(
    track: Path, tmp_path: Path, trained: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    typo, base = write(tmp_path, typo="model: {inputs: {windw: 1}}", base=BASE)
    assert main(["ablate", str(typo), "--base", str(base), "--track", str(track), "-o", str(tmp_path / "out")]) == 2
    assert "typo.yaml: " in (message := capsys.readouterr().err)
    assert "windw" in message
    assert not trained


def test_another_protocol_than_the_bases_is_refused_before_anything_is_trained(
    track: Path, tmp_path: Path, trained: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    other, base = write(tmp_path, other="data: {split: {fractions: [0.7, 0.1], protocol: insta-350}}", base=BASE)
    assert main(["ablate", str(other), "--base", str(base), "--track", str(track), "-o", str(tmp_path / "out")]) == 2
    assert "other.yaml splits the clip by insta-350, but" in (message := capsys.readouterr().err)
    assert "results of different protocols cannot be compared" in message
    assert not trained


def test_a_clip_without_a_held_out_part(tmp_path: Path, trained: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "short").mkdir()
    make_track(tmp_path / "short", frames=20)
    assert ablate(tmp_path / "short", tmp_path) == 2
    assert "fewer than a window of 3" in capsys.readouterr().err
    assert not trained


def test_a_cluster_gets_a_task_for_each_run(
    track: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["lit-reenact", "ablate", "my file.yaml", "--slurm", "--seeds", "2"])
    assert ablate(track, tmp_path, "--slurm") == 0
    line = "sbatch --array=0-7 sweeps/launch/ablate_array.sbatch 'my file.yaml' --seeds 2"
    assert capsys.readouterr().out.strip() == line


def test_shipped_files_are_found_from_any_folder(
    track: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["ablate", "configs/ablations/no_eyes.yaml", "--base", "configs/debug.yaml", "--track", str(track), "--slurm"]
    monkeypatch.setattr("sys.argv", ["lit-reenact", *words])
    assert main(words) == 0
    _, _, launch, *_ = capsys.readouterr().out.split()
    assert Path(launch).is_file()


def test_runs_live_and_are_called_as_by_hand(tmp_path: Path) -> None:
    (one,) = write(tmp_path, no_eyes="model: {inputs: {conditioning: [diffuse]}}")
    study = Study(Path("b.yaml"), "t", Path("o"), seeds=2, steps=500, ablations=read_ablations([one]))
    assert study.run_folder(study.ablations[1], 1).path == Path("o/no_eyes/seed-1")
    assert " ".join(study.arguments(study.ablations[1], 1)) == (
        f"--config b.yaml --config {one} --track t --name no_eyes --output o --seed_everything 1 "
        "--trainer.enable_progress_bar false --budget.max_batch_steps 500"
    )
