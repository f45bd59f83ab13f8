"""``lit-reenact evaluate``: repeatable, correct where the answer is known, and one sentence for bad input."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lit_reenact.commands.main import main
from lit_reenact.core.schema import Landmarks
from lit_reenact.evaluation.frame_folder import read_frame_folder
from lit_reenact.evaluation.network_metrics import NETWORK_METRICS
from lit_reenact.evaluation.report_pictures import mean_error, pick_extremes
from lit_reenact.synthesis.pictures import heat_map
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.trackfile import CLIP_NAME, load_track, save_track
from tests.factories import make_module, make_track
from tests.lit_reenact.metrics.test_identity import write_network
from tests.lit_reenact.tracking.test_tracker import project_face
from tests.wandb_records import history

FRAMES = 70
TEST = range(61, 70)
"""Held-out frames: after 0.8 of the frames and one second (5 frames)."""


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A track whose held-out part has 9 frames, one of which shows no face."""
    folder = tmp_path_factory.mktemp("track")
    synthetic = make_track(folder, frames=FRAMES)
    valid = synthetic.valid.clone()
    valid[TEST[4]] = False
    save_track(replace(synthetic, valid=valid), folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(track: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    module = make_module(inputs={"window": 1})
    torch.nn.init.normal_(module.generator.to_frame.weight, std=0.1)
    info = load_track(track).info
    state: dict[str, Any] = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    state["TrackDataModule"] = {"source": [info.source], "clip_sha256": [info.clip_sha256]}
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    torch.save(state, path)
    return path


@pytest.fixture
def pictures(track: Path, tmp_path: Path) -> Path:
    """The real frames of the held-out part as PNG files, written out of order."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    frames = TrackedClip.load(track).read(TEST, 64)
    for number in reversed(range(len(TEST))):
        write(frames[number], folder / f"{number:03}.png")
    (folder / "notes.txt").write_text("passed over")
    return folder


def write(frame: Tensor | np.ndarray, path: Path) -> None:
    Image.fromarray(np.asarray(frame)).save(path)


def run(track: Path, output: Path, *words: object) -> dict[str, Any]:
    assert main(["evaluate", "--target", str(track), "-o", str(output), "--device", "cpu", *map(str, words)]) == 0
    results: dict[str, Any] = json.loads((output / "metrics.json").read_text())
    return results


def test_the_same_command_twice_writes_the_same_numbers(track: Path, checkpoint: Path, tmp_path: Path) -> None:
    results = [run(track, tmp_path / name, "--checkpoint", checkpoint) for name in ("first", "second")]
    for name in ("metrics.json", "frames.csv", "report.html", "comparison.png"):
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("first", "second"))
        assert first == second
    files = ["comparison.png", "frames.csv", "metrics.json", "report.html"]
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == files
    nearest = "nearest frame"
    assert list(results[0]["methods"]) == ["model", f"{nearest}, warped", f"{nearest}, face rendered", nearest, "mean frame"]
    assert results[0]["frames"] == [TEST.start, TEST.stop]
    assert (results[0]["measured"], results[0]["size"]) == (8, 32)


def test_means_and_intervals_are_those_of_the_frames(track: Path, checkpoint: Path, tmp_path: Path) -> None:
    results = run(track, tmp_path, "--checkpoint", checkpoint)
    with (tmp_path / "frames.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "nearest frame"]
    assert [int(row["frame"]) for row in rows] == list(TEST)
    assert rows[4]["face_l1"] == ""
    for name in ("l1", "face_l1", "mouth_psnr", "eyes_ssim"):
        values = [float(row[name]) for row in rows if row[name]]
        value = results["methods"]["nearest frame"][name]
        assert value["mean"] == pytest.approx(np.mean(values), rel=1e-4)
        assert min(values) - 1e-4 <= value["low"] <= value["mean"] <= value["high"] <= max(values) + 1e-4


def test_the_model_is_compared_frame_by_frame(track: Path, checkpoint: Path, tmp_path: Path) -> None:
    results = run(track, tmp_path, "--checkpoint", checkpoint)
    methods, differences = results["methods"], results["differences"]
    assert list(differences) == list(methods)[1:]
    for method, row in differences.items():
        for name, value in row.items():
            assert value["mean"] == pytest.approx(methods["model"][name]["mean"] - methods[method][name]["mean"], abs=1e-4)
            assert value["low"] <= value["mean"] <= value["high"]
    assert "<h3>How far the model is ahead</h3>" in (tmp_path / "report.html").read_text()


def test_the_real_frames_themselves_are_perfect(track: Path, pictures: Path, tmp_path: Path) -> None:
    model = run(track, tmp_path, "--frames", pictures)["methods"]["model"]
    assert all(model[name] == {"mean": 0, "low": 0, "high": 0} for name in ("l1", "face_l1", "photometric", "flicker"))
    assert model["ssim"]["mean"] == pytest.approx(1, abs=1e-5)
    assert model["psnr"]["mean"] is None  # infinite
    assert {"csim", "fid"}.isdisjoint(model)  # no network was given
    page = (tmp_path / "report.html").read_text()
    assert not any(name in page for name in ("<td>CSIM ↑", "<td>FID"))
    assert model["lpips"]["mean"] == 0
    assert model["high_frequency"]["mean"] == pytest.approx(1, abs=1e-5)
    assert "the model beats every baseline in Face L1, PSNR, SSIM and LPIPS" in page


def test_without_networks_what_needs_one_is_left_out(track: Path, pictures: Path, tmp_path: Path) -> None:
    model = run(track, tmp_path, "--frames", pictures, "--without-networks")["methods"]["model"]
    assert set(NETWORK_METRICS).isdisjoint(model)
    assert {"face_l1", "high_frequency", "warped_error"} <= set(model)
    assert "(--without-networks)" in (tmp_path / "report.html").read_text()


def test_other_systems_get_a_row_each(track: Path, checkpoint: Path, pictures: Path, tmp_path: Path) -> None:
    real = TrackedClip.load(track).read(TEST, 32)
    for name, shift in (("exact", 0), ("brighter", 7)):
        (tmp_path / name).mkdir()
        for number, frame in enumerate(real):
            write((frame.int() + shift).clamp(0, 255).to(torch.uint8), tmp_path / name / f"{number:03}.png")
    rows = [word for name in ("exact", "brighter") for word in ("--also", f"{name}={tmp_path / name}")]
    methods = run(track, tmp_path / "out", "--checkpoint", checkpoint, *rows)["methods"]
    assert list(methods)[:3] == ["model", "exact", "brighter"]
    assert methods["exact"]["l1"]["mean"] == 0
    assert methods["brighter"]["l1"]["mean"] == pytest.approx(7, abs=0.1)  # but for what is white already


def test_networks_of_ones_own_add_their_rows(
    track: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    faces, looks = write_network(tmp_path / "faces.onnx", 112), write_network(tmp_path / "looks.onnx", 16, pieces=1)
    words = ("--frames", pictures, "--identity-model", faces, "--fid-model", looks)
    seen, known = tmp_path / "seen", load_track(track)
    seen.mkdir()
    (seen / CLIP_NAME).hardlink_to(track / CLIP_NAME)
    save_track(replace(known, landmarks=Landmarks(project_face(known), known.landmarks.found)), seen)
    results = run(seen, tmp_path / "out", *words, "--wandb")
    assert results["networks"] == {"csim": "faces.onnx", "fid": "looks.onnx"}
    same, mean = results["methods"]["model"], results["methods"]["mean frame"]
    assert same["csim"]["mean"] == pytest.approx(1)
    assert same["fid"]["mean"] == pytest.approx(0, abs=1e-6)
    assert mean["csim"]["low"] <= mean["csim"]["mean"] < 1
    assert mean["fid"]["mean"] > 0
    assert mean["fid"]["low"] is None
    (run_folder,) = (tmp_path / "out" / "wandb").glob("offline-run-*")
    (logged,) = [row for row in history(run_folder) if "evaluation/csim" in row]
    for prefix, method in (("", same), ("mean_frame/", mean)):
        assert [logged[f"evaluation/{prefix}{name}"] for name in ("csim", "fid")] == [
            method[name]["mean"] for name in ("csim", "fid")
        ]
    page = (tmp_path / "out" / "report.html").read_text()
    assert all(name in page for name in ("<td>CSIM ↑", "<td>FID", "faces.onnx", "looks.onnx"))


@pytest.mark.parametrize("option", ["--identity-model", "--fid-model"])
def test_a_network_that_cannot_be_had(
    option: str, track: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--frames", pictures, option, tmp_path / "network.onnx")
    assert "network.onnx: there is no such file" in refused(track, tmp_path, capsys, *words)
    (tmp_path / "network.onnx").write_text("words")
    assert "network.onnx is no ONNX network" in refused(track, tmp_path, capsys, *words)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("mean frame=FOLDER", "the table has a mean frame already"),
        ("ours=FOLDER", "64 pixels, but those of checkpoint best.ckpt"),
    ],
)
def test_other_systems_that_cannot_be_compared(
    word: str, sentence: str, track: Path, checkpoint: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--checkpoint", checkpoint, "--also", word.replace("FOLDER", str(pictures)))
    assert sentence in late_refusal(track, tmp_path, capsys, *words)


def test_the_page_compares_with_a_slider_and_asks_nobody(track: Path, checkpoint: Path, tmp_path: Path) -> None:
    run(track, tmp_path, "--checkpoint", checkpoint)
    page = (tmp_path / "report.html").read_text()
    assert page.count('<input type="range"') == 3
    assert page.count('aria-label="Border between') == 3
    assert not re.search(r"(src|href)=.(?!data:)|url\(|@import", page)


def test_a_mean_error_map_is_the_mean_distance_of_colours() -> None:
    real = torch.randint(0, 256, (5, 4, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    generated = torch.randint(0, 256, (5, 4, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    by_hand = np.linalg.norm(generated.numpy().astype(float) - real.numpy().astype(float), axis=-1).mean(0)
    assert np.allclose(mean_error(generated, real).numpy(), by_hand, atol=1e-3)
    assert heat_map(torch.tensor([[0.0, 64 / 3, 128 / 3, 500.0]]))[0].tolist() == [
        [0, 0, 0],
        [255, 0, 0],
        [255, 255, 0],
        [255] * 3,
    ]


def test_smaller_pictures_are_compared_at_their_own_size(track: Path, pictures: Path, tmp_path: Path) -> None:
    frames = TrackedClip.load(track).read(TEST, 32)
    for number, frame in enumerate(frames):
        write(frame, pictures / f"{number:03}.png")
    results = run(track, tmp_path, "--frames", pictures)
    assert results["size"] == 32
    assert results["methods"]["model"]["l1"]["mean"] == 0


def test_a_checkpoint_is_measured_on_what_it_was_not_trained_on(track: Path, checkpoint: Path, tmp_path: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    torch.save({**state, "datamodule_hyper_parameters": {"fractions": (0.5, 0.2)}}, tmp_path / "other.ckpt")
    assert run(track, tmp_path, "--checkpoint", tmp_path / "other.ckpt")["frames"] == [54, 70]


def test_baselines_see_no_more_footage_than_the_checkpoint(track: Path, checkpoint: Path, tmp_path: Path) -> None:
    whole = run(track, tmp_path / "whole", "--checkpoint", checkpoint)
    state = torch.load(checkpoint, weights_only=True)
    torch.save({**state, "datamodule_hyper_parameters": {"training_frames": 12}}, tmp_path / "less.ckpt")
    less = run(track, tmp_path / "less", "--checkpoint", tmp_path / "less.ckpt")
    assert less["frames"] == whole["frames"]
    target = TrackedClip.load(track)
    test = range(*less["frames"])
    mean = target.read(range(12), less["size"]).double().mean(0).round()
    by_hand = (target.read(test, less["size"]).double() - mean).abs().mean()
    assert less["methods"]["mean frame"]["l1"]["mean"] == pytest.approx(float(by_hand), rel=0.01)
    assert less["methods"]["model"] == whole["methods"]["model"]


def one_missing(folder: Path) -> None:
    (folder / "003.png").unlink()


def empty(folder: Path) -> None:
    for path in folder.glob("*.png"):
        path.unlink()


def oblong(folder: Path) -> None:
    write(np.zeros((64, 48, 3), np.uint8), folder / "005.png")


def too_large(folder: Path) -> None:
    write(np.zeros((128, 128, 3), np.uint8), folder / "000.png")


def of_two_sizes(folder: Path) -> None:
    write(np.zeros((32, 32, 3), np.uint8), folder / "005.png")


def no_picture(folder: Path) -> None:
    (folder / "005.png").write_text("words")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (one_missing, "holds 8 pictures, but there must be 9, one for each of frames 61 to 69"),
        (empty, "holds no PNG or JPEG picture"),
        (oblong, "005.png is 48x64: frames must be square"),
        (too_large, "000.png is 128x128: frames must be square and of 64 pixels or less"),
        (of_two_sizes, "005.png is 32x32, but 000.png is not"),
        (no_picture, "005.png cannot be read as a picture"),
    ],
)
def test_bad_pictures_are_reported_in_a_sentence(
    spoil: Any, words: str, track: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(pictures)
    assert words in refused(track, tmp_path, capsys, "--frames", pictures)


def late_refusal(track: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Return the message of a refusal that follows the progress bar of the generated frames."""
    assert main(["evaluate", "--target", str(track), "-o", str(tmp_path / "out"), "--device", "cpu", *map(str, words)]) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def refused(track: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: object) -> str:
    output = tmp_path / "out"
    assert main(["evaluate", "--target", str(track), "-o", str(output), *map(str, words)]) == 2
    assert not output.exists()
    (sentence,) = capsys.readouterr().err.strip().splitlines()
    return sentence


def test_a_folder_that_is_not_there(track: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such folder" in refused(track, tmp_path, capsys, "--frames", tmp_path / "nowhere")
    assert "no such checkpoint" in refused(track, tmp_path, capsys, "--checkpoint", tmp_path / "nowhere.ckpt")


def test_a_checkpoint_of_another_target(
    track: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = torch.load(checkpoint, weights_only=True)
    torch.save({**state, "TrackDataModule": {"source": ["b.mp4"], "clip_sha256": ["1"]}}, tmp_path / "b.ckpt")
    assert "was trained on b.mp4, not on synthetic.mp4" in refused(track, tmp_path, capsys, "--checkpoint", tmp_path / "b.ckpt")


def test_a_clip_too_short_to_hold_anything_out(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "short").mkdir()
    make_track(tmp_path / "short", frames=20)
    (tmp_path / "pictures").mkdir()
    assert "leave 0 for its validation part" in refused(tmp_path / "short", tmp_path, capsys, "--frames", tmp_path / "pictures")


def test_a_held_out_part_without_a_face(track: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blind = tmp_path / "blind"
    blind.mkdir()
    (blind / CLIP_NAME).hardlink_to(track / CLIP_NAME)
    known = load_track(track)
    save_track(replace(known, valid=torch.arange(FRAMES) < TEST.start), blind)
    assert "shows no face in its held-out part" in refused(blind, tmp_path, capsys, "--frames", pictures)


def test_jpeg_and_capital_letters_count_as_pictures(tmp_path: Path) -> None:
    write(np.full((8, 8, 3), 40, np.uint8), tmp_path / "b.PNG")
    write(np.full((8, 8, 3), 200, np.uint8), tmp_path / "a.jpg")
    assert read_frame_folder(tmp_path, 2, 8, "frames")[:, 0, 0, 0].tolist() == [200, 40]


def test_extremes_keep_apart_and_skip_what_has_no_value() -> None:
    values = torch.tensor([5.0, 9.0, 8.0, 1.0, torch.nan, 2.0, 7.0])
    assert pick_extremes(values, 3, apart=2, largest=True) == [1, 6, 3]
    assert pick_extremes(values, 2, apart=2, largest=False) == [3, 5]
    assert pick_extremes(values[:1], 3, apart=2, largest=True) == [0]
