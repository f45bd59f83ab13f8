"""The person on white: masks from the real frame, applied to every method, and never mixed with whole frames."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import astronaut
from torch import Tensor

from lit_reenact.commands.main import main
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.split import Split
from lit_reenact.evaluation import matting
from lit_reenact.evaluation.candidates import MODEL, Candidate
from lit_reenact.evaluation.evaluate import evaluate
from lit_reenact.evaluation.heldout import held_out_split
from lit_reenact.evaluation.matting import find_person, matte
from lit_reenact.evaluation.result_files import refuse_other_kind
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video import resize_frames


class Disc:
    """Stand-in for the segmenter: a disc in the middle of each frame, none in black ones; keeps the frames that it was shown."""

    seen: Tensor

    def __call__(self, frames: Tensor) -> Tensor:
        Disc.seen = frames
        at = torch.arange(frames.shape[1]) + 0.5 - frames.shape[1] / 2
        disc = at[:, None] ** 2 + at**2 < (0.4 * frames.shape[1]) ** 2
        return disc & (frames.flatten(1).float().mean(1) > 0)[:, None, None]


@pytest.fixture
def target(track_folder: Path, monkeypatch: pytest.MonkeyPatch) -> TrackedClip:
    monkeypatch.setattr(matting, "PersonSegmenter", Disc)
    return TrackedClip.load(track_folder)


def test_matting_by_hand() -> None:
    frames = torch.tensor([[[10, 20, 30], [40, 50, 60]]], dtype=torch.uint8)[None]  # (1, 1, 2, 3)
    matted = matte(frames, torch.tensor([[[True, False]]]))
    assert matted.dtype == torch.uint8
    assert matted.tolist() == [[[[10, 20, 30], [255, 255, 255]]]]


def test_the_person_of_a_photograph_is_found_and_the_background_is_not(track_folder: Path) -> None:
    target = TrackedClip.load(track_folder)
    real = resize_frames(torch.from_numpy(astronaut()[:256, 96:352].copy())[None], 128)
    (mask,) = find_person(target, range(1), real)
    assert mask[45:70, 55:75].all()  # the face
    assert not mask[:20, :15].any()  # a corner of the background
    assert not mask[:20, -10:].any()


def test_only_the_largest_region_counts(target: TrackedClip, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = torch.zeros(1, 20, 20, dtype=torch.bool)
    mask[0, 2:12, 2:12] = True
    bottle = mask.clone()
    bottle[0, 14:18, 14:18] = True
    monkeypatch.setattr(matting, "PersonSegmenter", lambda: lambda frames: bottle)
    assert torch.equal(find_person(target, range(1), torch.zeros(1, 20, 20, 3, dtype=torch.uint8)), mask)


def test_a_frame_without_a_person_is_named_unless_it_does_not_count(target: TrackedClip) -> None:
    real = torch.full((4, 32, 32, 3), 90, dtype=torch.uint8)
    real[2] = 0
    with pytest.raises(ReenactError, match=r"no person is found in frame 102 \(1 such frames\), so --matted"):
        find_person(target, range(100, 104), real)
    valid = target.track.valid.clone()
    valid[102] = False
    masks = find_person(replace(target, track=replace(target.track, valid=valid)), range(100, 104), real)
    assert masks.flatten(1).any(1).tolist() == [True, True, False, True]


def test_every_method_is_matted_by_the_real_frame_before_anything_is_measured(target: TrackedClip) -> None:
    split = held_out_split(target)
    split = Split(split.train, split.validation, split.test[:6])
    real = target.read(split.test, 32)
    outside = ~Disc()(real)
    wrong = real.clone()
    wrong[outside] = 255 - wrong[outside]  # wrong in the background alone
    evaluation = evaluate(target, Candidate("wrong background", split, wrong), progress=False, matted=True)
    assert torch.equal(Disc.seen, real)
    assert evaluation.matted
    for frames in (evaluation.real, *evaluation.outputs.values()):
        assert bool((frames[outside] == 255).all())
    assert torch.equal(evaluation.real[~outside], real[~outside])
    assert float(evaluation.values[MODEL]["l1"].max()) == 0
    whole = evaluate(target, Candidate("wrong background", split, wrong), progress=False)
    assert not whole.matted
    assert float(whole.values[MODEL]["l1"].min()) > 10


def test_the_two_kinds_of_numbers_never_share_a_folder(
    target: TrackedClip, track_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, frame in enumerate(target.read(held_out_split(target).test, 32)):
        Image.fromarray(np.asarray(frame)).save(pictures / f"{number:03}.png")
    words = ["evaluate", "--target", str(track_folder), "--frames", str(pictures), "--device", "cpu"]
    matted, whole = tmp_path / "matted", tmp_path / "whole"
    assert main([*words, "-o", str(matted), "--matted"]) == 0
    assert "matted: the person on white" in capsys.readouterr().out
    assert json.loads((matted / "metrics.json").read_text())["matted"] is True
    assert "<h1>synthetic.mp4: held-out frames, matted: the person on white</h1>" in (matted / "report.html").read_text()
    assert main([*words, "-o", str(matted)]) == 2
    assert "holds numbers of the person on white (--matted), these are of whole frames" in capsys.readouterr().err
    whole.mkdir()
    (whole / "metrics.json").write_text("{}")  # of an earlier version
    with pytest.raises(ReenactError, match="holds numbers of whole frames, these are of the person on white"):
        refuse_other_kind(whole, matted=True)
    refuse_other_kind(whole, matted=False)
    refuse_other_kind(tmp_path / "new", matted=True)
    assert main([*words, "-o", str(whole), "--matted"]) == 2


def test_edits_are_not_matted(track_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "--target", str(track_folder), "--checkpoint", "any.ckpt", "--edits", "--matted"]
    assert main(words) == 2
    assert "--edits measures whole frames, --matted the person on white" in capsys.readouterr().err
