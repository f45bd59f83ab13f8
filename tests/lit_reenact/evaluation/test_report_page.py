from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_reenact.evaluation.evaluate import Evaluation
from lit_reenact.evaluation.intervals import Estimate
from lit_reenact.evaluation.moments import Moment
from lit_reenact.evaluation.motion import MotionCurves, motion_fidelity
from lit_reenact.evaluation.pictures import contact_sheet
from lit_reenact.evaluation.reenactment import EMBEDDED_BYTES, Reenactment
from lit_reenact.evaluation.report import write_report
from lit_reenact.evaluation.table import COMPARED
from lit_reenact.evaluation.training_log import read_training_log
from lit_reenact.video import VideoWriter

EVIL = '<script>alert("x")</script>&'
VOID = {"meta", "link", "img", "br", "input"}
FRAMES = range(400, 450)
LOG = """batch_step,epoch,loss/l1,step,val/psnr
10,0,0.5,9,
20,0,0.4,19,
,0,,19,25.5
30,0,0.3,29,
,0,,29,26.5
"""


class Checker(HTMLParser):
    """Parser that collects references and text, and checks that every element closes in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "poster", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def evaluation() -> Evaluation:
    """Results in which the model beats both baselines in no metric."""
    means = {**dict.fromkeys(COMPARED, 5.0), "l1": 4.0, "psnr": 29.0, "ssim": 0.9, "lpips": 0.1}
    methods = {"model": means, "nearest frame": {**means, "ssim": 0.95}, "mean frame": means}
    frames = torch.randint(0, 256, (len(FRAMES), 16, 16, 3), dtype=torch.uint8)
    return Evaluation(
        target="a.mp4",
        origin="checkpoint best.ckpt",
        frames=FRAMES,
        fps=25.0,
        real=frames,
        outputs={method: frames.flip(2) for method in methods},
        values={
            method: {name: torch.full((len(FRAMES),), mean) for name, mean in row.items()} for method, row in methods.items()
        },
        estimates={method: {name: Estimate(mean, mean, mean) for name, mean in row.items()} for method, row in methods.items()},
        differences={method: dict.fromkeys(COMPARED, Estimate(0.0, -1.0, 1.0)) for method in ("nearest frame", "mean frame")},
    )


@pytest.fixture
def reenactment(tmp_path: Path) -> Reenactment:
    frame = torch.randint(0, 256, (16, 16, 3), dtype=torch.uint8)
    driving = MotionCurves(*torch.randn(7, 50))
    output = replace(driving, yaw=driving.yaw * 0.9)
    log = tmp_path / "metrics.csv"
    log.write_text(LOG)
    clip = tmp_path / "reenactment.mp4"
    with VideoWriter(clip, Fraction(30), tags={"title": "test"}) as writer:
        for _ in range(3):
            writer.write(np.zeros((32, 32, 3), np.uint8))
    return Reenactment(
        title=EVIL,
        moments=[Moment(EVIL, {EVIL: frame, "output": frame})],
        held_out_moments=[Moment("0.1 s", {"input": frame, "output": frame})],
        driving=driving,
        output=output,
        fidelity=motion_fidelity(output, driving),
        fps=30.0,
        videos={"reenactment": clip},
        training_logs=[log],
        facts={EVIL: EVIL},
    )


def checked(path: Path) -> tuple[str, Checker]:
    source = path.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(source)
    checker.close()
    assert checker.open == []
    return source, checker


def test_the_page_is_one_well_formed_file_that_asks_for_nothing_outside(
    evaluation: Evaluation, reenactment: Reenactment, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    write_report(evaluation, folder / "report.html", reenactment)
    source, page = checked(folder / "report.html")
    assert [file.name for file in folder.iterdir()] == ["report.html"]
    assert page.references
    assert all(reference.startswith("data:") for reference in page.references)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", source)
    assert "@import" not in source
    assert "url(" not in source


def test_every_text_of_the_user_is_escaped(evaluation: Evaluation, reenactment: Reenactment, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path / "report.html", reenactment)
    _, page = checked(tmp_path / "report.html")
    assert "script" not in page.tags
    assert page.text.count(EVIL) == 6  # title and heading, moment and picture, fact and value


def test_every_text_of_an_evaluation_alone_is_escaped(evaluation: Evaluation, tmp_path: Path) -> None:
    outputs = {**evaluation.outputs, EVIL: evaluation.real}
    write_report(replace(evaluation, target=EVIL, origin=EVIL, outputs=outputs), tmp_path / "report.html")
    _, page = checked(tmp_path / "report.html")
    assert "script" not in page.tags
    assert page.text.count(EVIL) == 6  # title and heading, both facts, the origin in the sentence, the error map


def test_the_report_of_a_reenactment_holds_all_of_the_evaluation_too(
    evaluation: Evaluation, reenactment: Reenactment, tmp_path: Path
) -> None:
    write_report(evaluation, tmp_path / "alone.html")
    write_report(evaluation, tmp_path / "report.html", reenactment)
    alone, whole = (headings(tmp_path / name) for name in ("alone.html", "report.html"))
    assert set(alone) - {"This evaluation"} < set(whole)
    assert {"Reenactment", "Held-out frames", "Training"} == set(whole) - set(alone) - {"This run"}


def headings(path: Path) -> list[str]:
    return re.findall("<h2>(.*?)</h2>", path.read_text(encoding="utf-8"))


def test_it_says_what_it_is_and_does_not_flatter_the_model(
    evaluation: Evaluation, reenactment: Reenactment, tmp_path: Path
) -> None:
    write_report(evaluation, tmp_path / "report.html", reenactment)
    _, page = checked(tmp_path / "report.html")
    assert "AI-generated" in page.text
    assert "generated by a neural network" in page.text
    assert "does not beat the best baseline in Face L1, PSNR, SSIM and LPIPS" in page.text


def test_pictures_survive_the_page(evaluation: Evaluation, reenactment: Reenactment, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path / "report.html", reenactment)
    _, page = checked(tmp_path / "report.html")
    first = next(reference for reference in page.references if reference.startswith("data:image/png"))
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(first.split(",")[1]))))
    assert np.array_equal(picture, reenactment.moments[0].pictures[EVIL].numpy())


def test_a_large_video_is_linked_by_its_name_instead(evaluation: Evaluation, reenactment: Reenactment, tmp_path: Path) -> None:
    large = tmp_path / "a large#one.mp4"
    large.write_bytes(b"\0" * (EMBEDDED_BYTES + 1))
    write_report(evaluation, tmp_path / "report.html", replace(reenactment, videos={"reenactment": large}))
    _, page = checked(tmp_path / "report.html")
    assert "a%20large%23one.mp4" in page.references
    assert "video" not in page.tags


def test_a_run_without_a_log_is_reported(evaluation: Evaluation, reenactment: Reenactment, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path / "report.html", replace(reenactment, training_logs=[]))
    assert "No training log" in checked(tmp_path / "report.html")[1].text


def test_validation_rows_belong_to_the_batch_step_before_them(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(LOG)
    second.write_text("batch_step,loss/l1\n40,0.25\n")
    curves = read_training_log([first, second])
    assert curves == {"loss/l1": ([10, 20, 30, 40], [0.5, 0.4, 0.3, 0.25]), "val/psnr": ([20, 30], [25.5, 26.5])}


def test_contact_sheet_shows_every_picture_once(tmp_path: Path) -> None:
    colours = torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 8, 8, 3) * 20 + 30
    contact_sheet({"driving": colours[:3], "output": list(colours[3:])}, tmp_path / "sheet.png", cell=20)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    for value in (30, 50, 70, 90, 110, 130):
        assert (sheet == value).all(-1).sum() >= 20 * 20
    with pytest.raises(ValueError, match="unequal"):
        contact_sheet({"driving": colours[:3], "output": colours[3:5]}, tmp_path / "sheet.png")
