"""Origin of held-out pixels: counted by region, in every file of an evaluation, and absent for other networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lit_reenact.commands.main import main
from lit_reenact.core.schema import EMPTY, EYES, FACE, MOUTH
from lit_reenact.evaluation import pixel_origin
from lit_reenact.evaluation.heldout import held_out_split
from lit_reenact.evaluation.origin_section import legend
from lit_reenact.evaluation.pixel_origin import PIXEL_ORIGINS, measure_pixel_origin, origin_shares, spread
from lit_reenact.synthesis.inference import load_generator
from lit_reenact.synthesis.pixel_origin import origin_colours
from lit_reenact.tracking.tracked_clip import TrackedClip
from tests.factories import make_module
from tests.lit_reenact.synthesis.blend import COUNT, save_blend
from tests.wandb_records import history


@pytest.fixture(scope="module")
def checkpoint(track_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    save_blend(track_folder, path)
    return path


def test_shares_are_means_over_the_pixels_of_each_region() -> None:
    region = torch.tensor([[[EMPTY, FACE, EYES, EYES]], [[EMPTY, EMPTY, FACE, FACE]]], dtype=torch.uint8)
    painted = torch.tensor([[[0.0, 0.3, 0.5, 0.7]], [[1.0, 0.0, 0.2, 0.6]]])
    mean = torch.full_like(painted, 0.1).minimum(1 - painted)
    plate = torch.full_like(painted, 0.2).minimum(1 - painted - mean)
    first = (1 - painted - mean - plate) / 4
    shares = origin_shares(torch.stack([first, 3 * first, mean, plate, painted], 1), region)
    assert tuple(shares) == PIXEL_ORIGINS
    assert shares["painted"].tolist() == pytest.approx([0.375, 0.45])
    assert shares["face_painted"].tolist() == pytest.approx([0.5, 0.4])
    assert shares["eyes_painted"].tolist() == pytest.approx([0.6, torch.nan], nan_ok=True)
    assert shares["mouth_painted"].isnan().all()
    assert shares["mean_frame"].tolist() == pytest.approx([0.1, 0.075])
    assert shares["face_plate"].tolist() == pytest.approx([0.2, 0.2])
    assert shares["face_key_frames"].tolist() == pytest.approx([0.2, 0.3])
    assert MOUTH not in region


def test_values_are_spread_evenly() -> None:
    assert spread(torch.arange(100, 110), 4).tolist() == [100, 103, 106, 109]
    assert spread(torch.tensor([3, 5]), 4).tolist() == [3, 5]


def test_every_file_of_an_evaluation_says_where_pixels_come_from(
    track_folder: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    words = ["--target", str(track_folder), "--checkpoint", str(checkpoint), "-o", str(tmp_path), "--device", "cpu", "--wandb"]
    assert main(["evaluate", *words, "--without-networks"]) == 0
    measured = json.loads((tmp_path / "metrics.json").read_text())["pixel_origin"]
    assert measured["frames"] == 25
    assert tuple(measured["shares"]) == PIXEL_ORIGINS
    for place in pixel_origin.PLACES:
        assert sum(measured["shares"][f"{place}{kind}"] for kind in pixel_origin.KINDS) == pytest.approx(1, abs=1e-5)
    page = (tmp_path / "report.html").read_text()
    _, _, section = page.partition("<h2>Where do the pixels come from?</h2>")
    section, _, _ = section.partition("</section>")
    assert section.count("<img") == 4 * 3
    assert f"<td>{100 * measured['shares']['face_painted']:.1f}</td>" in section
    assert legend(origin_colours(COUNT)) in section
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    (row,) = [row for row in history(run) if "evaluation/face_l1" in row]
    assert {name: row[f"evaluation/{name}"] for name in PIXEL_ORIGINS} == measured["shares"]


def test_only_frames_with_a_known_face_are_measured(
    track_folder: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample is spread over them; with none of them, or without key frames, there is no origin."""
    target = TrackedClip.load(track_folder)
    generator = load_generator(checkpoint, target=target.track)
    part = held_out_split(target, checkpoint, generator.shape.span).test
    monkeypatch.setattr(pixel_origin, "SAMPLE", 5)

    def measured_with(known: list[int]) -> pixel_origin.PixelOrigin | None:
        valid = torch.zeros(len(target.track.valid), dtype=torch.bool)
        valid[[part[index] for index in known]] = True
        return measure_pixel_origin(generator, replace(target, track=replace(target.track, valid=valid)), part)

    found = measured_with([2, 3, 10])
    assert found is not None
    assert (found.frames, found.shown) == (3, [2, 3, 10])
    assert found.pictures.shape == (3, 32, 32, 3)
    more = measured_with(list(range(1, 22)))
    assert more is not None
    assert (more.frames, more.shown) == (5, [1, 6, 16, 21])
    assert measured_with([]) is None
    assert measure_pixel_origin(make_module().generator, target, part) is None
