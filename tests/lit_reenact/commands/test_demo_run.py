"""The demo: its training folder, its results and its summary; each step has tests of its own."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from lit_reenact.commands import demo_run
from lit_reenact.commands.demo_results import SUMMARY, Demo, print_summary, write_results
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Landmarks
from lit_reenact.evaluation.baseline_frames import BASELINES
from lit_reenact.evaluation.candidates import MODEL, synthesise_candidate
from lit_reenact.evaluation.evaluate import evaluate
from lit_reenact.evaluation.motion import motion_curves
from lit_reenact.synthesis import ReenactmentSettings, write_reenactment
from lit_reenact.synthesis.inference import load_generator
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.trackfile import load_track, save_track
from lit_reenact.training.run_folder import RunFolder
from tests.factories import make_track
from tests.lit_reenact.evaluation.test_heldout import save_checkpoint
from tests.lit_reenact.tracking.test_tracker import project_face


def test_a_network_of_another_target_is_not_taken_and_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    make_track(tmp_path / "track", frames=200, size=128)
    another = RunFolder(tmp_path / "run" / "seed-0")
    another.last.parent.mkdir(parents=True)
    torch.save({"batch_step": 3}, another.last)
    another.config.write_text(yaml.safe_dump({"data": {"track": "someone else"}}))
    with pytest.raises(ReenactError, match=r"run/seed-0 holds a network that was trained on another target .*: add --retrain"):
        demo_run._train(tmp_path, TrackedClip.load(tmp_path / "track"), retrain=False, steps=1)
    assert another.batch_step() == 3


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo whose network was trained with fractions of its own, on a track that is target and source alike."""
    folder = tmp_path_factory.mktemp("demo")
    track = make_track(folder)
    save_track(replace(track, landmarks=Landmarks(project_face(track), track.landmarks.found)), folder)
    run = RunFolder(folder / "run")
    run.best.parent.mkdir(parents=True)
    save_checkpoint(run.best.parent, folder, {"fractions": (0.5, 0.1)})
    clip = TrackedClip.load(folder)
    generator = load_generator(run.best, target=clip.track)
    candidate = synthesise_candidate(clip, run.best, progress=False, video=folder / "self_reenactment.mp4")
    evaluation = evaluate(clip, candidate, progress=False)
    video, settings = folder / "reenactment.mp4", ReenactmentSettings(rate="source", sound=None)
    files = write_reenactment(clip, clip, generator, video, settings, run.best, progress=False)
    motion = motion_curves(load_track(folder))
    demo = Demo(folder, clip, clip, run, generator, evaluation, files, motion, {"Training": 1.25})
    write_results(demo)
    return demo


def test_the_demo_measures_all_that_its_training_held_out(demo: Demo) -> None:
    metrics = json.loads((demo.output / "metrics.json").read_text())
    assert metrics["protocol"] == "fractions 0.5 and 0.1"
    assert metrics["held_out_frames"] == len(range(77, 120))  # 60 % of 120 frames, and a second (5 frames) later
    assert list(metrics["held_out"]) == [MODEL, *BASELINES]
    assert all(tuple(values) == SUMMARY for values in metrics["held_out"].values())
    assert metrics["motion"]["yaw_r"] == pytest.approx(1)
    assert metrics["seconds"] == {"Training": 1.2}


def test_report_and_summary_show_every_baseline_the_warped_one_first(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    report = (demo.output / "report.html").read_text()
    print_summary(demo)
    heads = re.findall("<tr><th></th>(.*?)</tr>", report)
    assert [re.findall("<th>(.*?)</th>", head) for head in heads[:2]] == [[MODEL, *BASELINES], [*BASELINES]]
    assert BASELINES[0] == "nearest frame, warped"
    lines = capsys.readouterr().out.splitlines()
    assert [line for method in (MODEL, *BASELINES) for line in lines if line.startswith(f"{method}  ")] == lines[2:7]
    assert (demo.output / "reenactment.png").is_file()
    assert (demo.output / "comparison.png").is_file()
