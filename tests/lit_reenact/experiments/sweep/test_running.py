"""Trials of a stand-in for the training, which takes milliseconds and whose best setting is known."""

from __future__ import annotations

import csv
import fcntl
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.experiments import processes
from lit_reenact.experiments.sweep.definition import Sweep
from lit_reenact.experiments.sweep.picture import draw
from lit_reenact.experiments.sweep.results import rank_trials, text_table, write_results
from lit_reenact.experiments.sweep.running import run_sweep
from lit_reenact.experiments.sweep.trials import Trials

STAND_IN = """
import math, os, pathlib, signal, sys, time
settings = dict(word[2:].split("=", 1) for word in sys.argv[1:])
rate, behaviour = float(settings["rate"]), settings.get("do", "")
here = pathlib.Path(settings["output"], settings["name"])
(here / "starts").open("a").write("x")
if behaviour == "crash" or behaviour == "crash once" and (here / "starts").read_text() == "x":
    sys.exit("Traceback\\nlit-reenact: no such weather")
if behaviour == "cut once" and (here / "starts").read_text() == "x":
    sys.exit(130)
if behaviour == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
log = here / "seed-0/metrics/version_0/metrics.csv"
log.parent.mkdir(parents=True, exist_ok=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
lines = ["batch_step,val/face_l1"]
for step in range(1, 9):
    lines.append(f"{step},{abs(math.log10(rate) + 3.5) + 1 / step}")
    log.write_text("\\n".join(lines) + "\\n")
    time.sleep(float(settings.get("slow", 0)))
"""
"""Least, 1/8, for a rate of 10^-3.5."""


@pytest.fixture(autouse=True)
def _stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    monkeypatch.setattr(processes, "FIT", (sys.executable, "-S", str(tmp_path / "stand_in.py")))


def sweep_of(method: str = "grid", settings: tuple[str, ...] = (), **changes: Any) -> Sweep:
    content: dict[str, Any] = {"method": method, "metric": {"name": "val/face_l1"}, "command": ["lit-reenact", "fit", "${args}"]}
    content["parameters"] = {"rate": {"values": [1e-2, 1e-3, 1e-4]}}
    return Sweep(Path("rates.yaml"), content | changes, settings)


def values(trials: Trials) -> list[tuple[str, float | None]]:
    return [(one.trial.name, one.value) for one in rank_trials(trials)]


def test_a_grid_tries_everything_and_the_best_comes_first(tmp_path: Path) -> None:
    trials = run_sweep(sweep_of(), tmp_path / "rates")
    first, *_ = results = write_results(trials)
    assert [one.trial.parameters["rate"] for one in results] in ([1e-3, 1e-4, 1e-2], [1e-4, 1e-3, 1e-2])
    assert first.value == pytest.approx(0.5 + 1 / 8)
    assert first.batch_step == 8
    with (trials.folder / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == [one.trial.name for one in results]
    assert {row["protocol"] for row in rows} == {"last-fifth"}
    assert [float(row["val/face_l1"]) for row in rows] == [one.value for one in results]
    assert {path.name for path in trials.folder.glob("trial-*")} == {"trial-1", "trial-2", "trial-3"}
    assert text_table(trials, results).splitlines()[0].split() == [
        *("trial", "state", "val/face_l1", "val/lpips", "batch_step", "protocol", "rate", "note")
    ]


def test_more_can_be_better(tmp_path: Path) -> None:
    sweep = sweep_of(metric={"name": "val/face_l1", "goal": "maximize"})
    assert values(run_sweep(sweep, tmp_path / "rates"))[0] == ("trial-1", pytest.approx(1.5 + 1))


def test_the_same_sweep_twice_gives_the_same_table(tmp_path: Path) -> None:
    rate = {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1}
    sweep = sweep_of("bayes", parameters={"rate": rate})
    for name in ("first", "second"):
        write_results(run_sweep(sweep, tmp_path / name, 4))
    first, second = ((tmp_path / name / "trials.csv").read_bytes() for name in ("first", "second"))
    assert first == second
    assert len(first.splitlines()) == 5


def test_bayes_finds_what_is_best(tmp_path: Path) -> None:
    rate = {"distribution": "log_uniform_values", "min": 1e-6, "max": 1e-1}
    trials = run_sweep(sweep_of("bayes", parameters={"rate": rate}), tmp_path / "rates", 12)
    best, *_ = rank_trials(trials)
    assert abs(math.log10(best.trial.parameters["rate"]) + 3.5) < 0.15  # 12 at random: in 3 of 10 cases


def test_a_trial_that_crashes_has_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    behaviours = ["", "crash", "killed"]
    sweep = sweep_of(parameters={"do": {"values": behaviours}, "rate": {"value": 1e-3}})
    trials = run_sweep(sweep, tmp_path / "rates")
    assert {one.parameters["do"]: (one.state, one.note) for one in trials.trials} == {
        "": ("finished", ""),
        "crash": ("failed", "no such weather"),
        "killed": ("failed", "killed by SIGKILL"),
    }
    assert [one.value is None for one in write_results(trials)] == [False, True, True]


def test_the_same_call_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    behaviours = ["", "cut once", "crash once"]
    sweep = sweep_of(parameters={"do": {"values": behaviours}, "rate": {"value": 1e-3}})
    with pytest.raises(KeyboardInterrupt, match="trial-2 was cut off; the same command resumes it"):
        run_sweep(sweep, tmp_path / "rates")
    assert [one.state for one in run_sweep(sweep, tmp_path / "rates").trials] == ["finished", "finished", "failed"]
    trials = run_sweep(sweep, tmp_path / "rates")
    assert [one.state for one in trials.trials] == ["finished"] * 3
    starts = [(trials.folder / one.name / "starts").read_text() for one in trials.trials]
    assert starts == ["x", "xx", "xx"]


def test_more_trials_can_be_asked_for_later(tmp_path: Path) -> None:
    assert len(run_sweep(sweep_of(), tmp_path / "rates", 1).trials) == 1
    trials = run_sweep(sweep_of(), tmp_path / "rates", 9)
    assert len(trials.trials) == 3
    assert (trials.folder / "trial-1" / "starts").read_text() == "x"


def test_a_hopeless_trial_is_stopped_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "POLL_SECONDS", 0.02)
    sweep = sweep_of(
        settings=("--slow=0.1",),
        parameters={"rate": {"values": [1e-3, 1e-4, 1e-1]}},
        early_terminate={"type": "hyperband", "min_iter": 2, "eta": 2},
    )
    trials = run_sweep(sweep, tmp_path / "rates")
    assert [one.state for one in trials.trials] == ["finished", "finished", "stopped"]
    good, _, bad = (trials.curves(one)["val/face_l1"] for one in trials.trials)
    assert len(good) == 8
    assert 2 <= len(bad) < 8
    assert values(trials)[2] == ("trial-3", pytest.approx(min(bad.values())))


def test_a_metric_that_is_never_logged_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match=r"the metric val/fase_l1 is not in the history of .*trial-1, which has val/face_l1"):
        run_sweep(sweep_of(metric={"name": "val/fase_l1"}), tmp_path / "rates")


def test_a_folder_is_for_one_protocol(tmp_path: Path) -> None:
    run_sweep(sweep_of(), tmp_path / "rates", 1)
    ledger = tmp_path / "rates" / "trials.json"
    older = json.loads(ledger.read_text())
    del older["trained"]["protocol"]  # from before there were protocols
    ledger.write_text(json.dumps(older))
    run_sweep(sweep_of(), tmp_path / "rates", 1)
    with pytest.raises(ReenactError, match=r"trials of the protocol last-fifth, this sweep has insta-350: results of different"):
        run_sweep(replace(sweep_of(), protocol="insta-350"), tmp_path / "rates", 1)


def test_a_folder_is_for_one_sweep(tmp_path: Path) -> None:
    run_sweep(sweep_of(), tmp_path / "rates", 1)
    with pytest.raises(ReenactError, match="holds trials of another sweep, or with other settings"):
        run_sweep(sweep_of(settings=("--slow=0",)), tmp_path / "rates", 1)


def test_a_folder_is_for_one_process(tmp_path: Path) -> None:
    (tmp_path / "rates").mkdir()
    with (tmp_path / "rates" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ReenactError, match="another process works on this sweep"):
            run_sweep(sweep_of(), tmp_path / "rates")


def test_the_picture_has_a_line_for_each_trial_through_its_values(tmp_path: Path) -> None:
    parameters = {"rate": {"values": [1e-2, 1e-3, 1e-4]}, "do": {"values": ["", "crash"]}}
    trials = run_sweep(sweep_of(parameters=parameters), tmp_path / "rates")
    results = rank_trials(trials)
    axes = draw(trials.sweep, results).axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 3]  # two parameters and the metric
    assert len(lines) == 3
    *_, best = lines
    assert [line.get_linewidth() for line in lines] == [1.4, 1.4, 3.0]
    rates = {round(line.get_ydata()[0], 6) for line in lines}  # type: ignore[index]
    assert rates == {0.0, 0.5, 1.0}  # a decade apart
    assert all(line.get_ydata()[1] == 0.25 for line in lines)  # type: ignore[index]
    assert best.get_ydata()[2] == 0  # type: ignore[index]
    assert "6 trials, 3 without a value; less is better" in axes.get_title("left")
