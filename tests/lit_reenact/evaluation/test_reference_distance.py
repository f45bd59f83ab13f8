"""Distances to key frames in training, in held-out frames and of drivers: in every file of an evaluation."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from lit_reenact.commands.main import main
from lit_reenact.core.errors import ReenactError
from lit_reenact.evaluation.distance_section import _cumulative
from lit_reenact.evaluation.heldout import held_out_split
from lit_reenact.evaluation.reference_distance import measure_reference_distance, reference_gap
from lit_reenact.rendering.key_frame_distance import key_frame_distance
from lit_reenact.synthesis.inference import load_generator
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import reenact
from tests.factories import make_data, make_module, make_track
from tests.lit_reenact.synthesis.blend import COUNT, save_blend

GAP = 0.7
"""Seconds, 4 frames: not the default."""


@pytest.fixture(scope="module")
def checkpoint(track_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    save_blend(track_folder, path)
    state = torch.load(path, weights_only=False)
    state["datamodule_hyper_parameters"]["loading"]["reference_gap"] = GAP
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracks") / "other person"
    make_track(folder, frames=40, seed=7)
    return folder


def test_every_file_of_an_evaluation_says_how_far_key_frames_are(
    track_folder: Path, checkpoint: Path, driver: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--target", str(track_folder), "--checkpoint", str(checkpoint), "--drivers", str(driver), "--device", "cpu"]
    assert main(["evaluate", *words, "-o", str(tmp_path), "--without-networks"]) == 0
    measured = json.loads((tmp_path / "metrics.json").read_text())["reference_distance"]
    names = ["training_frames", "training_samples", "validation_frames", "test_frames", "driver other person"]
    assert [*measured["medians"]] == [*measured["beyond"]] == names
    assert measured["gap_seconds"] == GAP
    assert 0 < measured["medians"]["training_frames"] < measured["medians"]["training_samples"]
    assert measured["beyond"]["training_frames"] == pytest.approx(1 / 60, abs=1e-5)
    page = (tmp_path / "report.html").read_text()
    section = page.partition("<h2>How far are the key frames?</h2>")[2].partition("</section>")[0]
    assert section.count("<polyline") == len(names)
    rows = dict(re.findall(r"<tr><td>([^<]+)</td><td>\d+</td><td>([^<]+)</td>", section))
    assert rows == {name.replace("_", " "): f"{median:.1f}" for name, median in measured["medians"].items()}
    assert f"driver other person {measured['medians']['driver other person']:.1f}." in capsys.readouterr().out


def test_training_samples_are_those_of_the_data_module(track_folder: Path, checkpoint: Path, driver: Path) -> None:
    """Each window of a training, with the key frames that the window is shown."""
    target, other = TrackedClip.load(track_folder), TrackedClip.load(driver)
    generator = load_generator(checkpoint, target=target.track)
    split = held_out_split(target, checkpoint, generator.shape.span)
    gap = reference_gap(checkpoint)
    result = measure_reference_distance(generator, target, split, gap, {"b": other.track})
    assert result is not None
    data = make_data(track_folder, inputs={"references": COUNT}, loading={"reference_gap": gap})
    data.prepare_data()
    data.setup()
    windows = [data.on_after_batch_transfer(batch, 0) for batch in data.train_dataloader()]
    (key_frames,), track = data.key_frames(), target.track
    seen = {}
    for window in windows:
        assert window.references is not None
        shown = window.references.present.bool()
        distances = key_frame_distance(track, key_frames.parameters, track.parameters[window.number], shown)
        seen |= dict(zip(window.number.tolist(), distances.tolist(), strict=True))
    assert [seen[number] for number in sorted(seen)] == pytest.approx(result.distances["training_samples"].tolist(), abs=1e-3)
    held_out = track.parameters[torch.tensor(split.test)]
    assert torch.equal(result.distances["test_frames"], key_frame_distance(track, key_frames.parameters, held_out))
    driven = reenact(other.track, track)
    assert torch.equal(result.distances["driver b"], key_frame_distance(track, key_frames.parameters, driven))


def test_frames_without_a_key_frame_hold_a_curve_below_100() -> None:
    line = _cumulative(torch.tensor([3.0, torch.inf, 1.0, 2.0]), "red")
    assert (line.x, line.y) == ([1.0, 2.0, 3.0], [25.0, 50.0, 75.0])


def test_drivers_want_a_network_with_key_frames(track_folder: Path, checkpoint: Path, driver: Path, tmp_path: Path) -> None:
    target = TrackedClip.load(track_folder)
    split = held_out_split(target, checkpoint, 3)
    plain = make_module().generator
    assert measure_reference_distance(plain, target, split, 0.5, {}) is None
    with pytest.raises(ReenactError, match="this network takes none"):
        measure_reference_distance(plain, target, split, 0.5, {"b": target.track})


@pytest.mark.parametrize("candidate", ["--frames", "--checkpoint"])
def test_drivers_that_cannot_be_compared_are_refused(
    candidate: str, track_folder: Path, checkpoint: Path, driver: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = shutil.copytree(driver, tmp_path / "elsewhere" / driver.name)
    frames = {"--frames": str(tmp_path), "--checkpoint": str(checkpoint)}[candidate]
    words = ["--target", str(track_folder), candidate, frames, "--drivers", str(driver), str(again), "-o", str(tmp_path / "out")]
    assert main(["evaluate", *words]) == 2
    sentence = {"--frames": "--drivers wants --checkpoint", "--checkpoint": "two tracks other person"}[candidate]
    assert sentence in capsys.readouterr().err
