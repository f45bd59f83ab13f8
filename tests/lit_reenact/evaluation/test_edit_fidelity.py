"""What edits moved, where it is known what moved; and how the command tells it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lit_reenact.cli import main
from lit_reenact.evaluation.edit_fidelity import PROBES, UNITS, Probe, compare_edits, edits_rows
from lit_reenact.face import load_face_model
from lit_reenact.schema import FaceParameters, Landmarks, Track
from tests.factories import make_parameters, make_track

FRAMES = 40


def made(folder: Path, versions: list[FaceParameters], lost: tuple[int, ...] = ()) -> Track:
    """A track that found these versions of a part, one after the other, and no face in some of the frames."""
    parameters = FaceParameters.concatenated(versions)
    found = torch.ones(len(parameters), dtype=torch.bool)
    found[list(lost)] = False
    landmarks = Landmarks(torch.zeros(len(parameters), 478, 3), found)
    return replace(make_track(folder, frames=8), parameters=parameters, landmarks=landmarks)


def plain() -> FaceParameters:
    """Heads that turn about the upright axis alone, where yaw is the length of the axis-angle."""
    parameters = make_parameters(load_face_model("builtin"), FRAMES)
    return parameters.replace(rotation=parameters.rotation * torch.tensor([0.0, 1.0, 0.0]))


def test_what_was_moved_is_found_and_nothing_else(tmp_path: Path) -> None:
    model, before = load_face_model("builtin"), plain()
    blinks = [name.startswith("eyeBlink") for name in model.expression_names]
    turned = before.replace(rotation=before.rotation + torch.tensor([0.0, math.radians(4), 0.0]))
    looking = before.replace(gaze=before.gaze + math.radians(7) * torch.tensor([1.0, 0.0, 1.0, 0.0]))
    winking = before.expression.clone()
    winking[:, model.expression_names.index("eyeBlinkLeft")] = 0.8
    strong = torch.where(torch.tensor(blinks), before.expression, 1.3 * before.expression)
    probes = (
        Probe("head_yaw", 4, "yaw"),
        Probe("gaze_yaw", 7, "gaze_yaw"),
        Probe("close_left_eye", 1, "blink_left"),
        Probe("expression_gain", 1.3, "expression"),
    )
    versions = [before, turned, looking, before.replace(expression=winking), before.replace(expression=strong)]
    found = compare_edits(made(tmp_path, versions), FRAMES, probes)
    expected = {"head_yaw=4": 4.0, "gaze_yaw=7": 7.0, "expression_gain=1.3": 1.3}
    for probe in probes:
        values = found[probe.name]
        for measure in UNITS:
            still = 1.0 if measure == "expression" else 0.0
            if measure != probe.measure:
                assert values[measure].value == pytest.approx(still, abs=1e-3), (probe.name, measure)
            elif probe.name in expected:
                assert values[measure].value == pytest.approx(expected[probe.name], abs=1e-3)
                assert values[measure].low == pytest.approx(values[measure].high, abs=1e-3)
    blink = before.expression[:, model.expression_names.index("eyeBlinkLeft")]
    assert found["close_left_eye=1"]["blink_left_level"].value == pytest.approx(0.8)
    assert found["close_left_eye=1"]["blink_left"].value == pytest.approx(0.8 - float(blink.mean()), abs=1e-5)


def test_frames_in_which_no_face_is_found_do_not_count(tmp_path: Path) -> None:
    before = plain()
    wrong = before.rotation + torch.tensor([0.0, math.radians(4), 0.0])
    wrong[:5] += 1.0
    track = made(tmp_path, [before, before.replace(rotation=wrong)], lost=tuple(range(FRAMES, FRAMES + 5)))
    found = compare_edits(track, FRAMES, (Probe("head_yaw", 4, "yaw"),))
    assert found["head_yaw=4"]["yaw"].value == pytest.approx(4, abs=1e-3)


def test_the_rows_name_every_probe_and_what_moved(tmp_path: Path) -> None:
    before = plain()
    found = compare_edits(made(tmp_path, [before] * (len(PROBES) + 1)), FRAMES)
    heads, *rows = edits_rows(found)
    assert [row[0] for row in rows] == [probe.name for probe in PROBES]
    assert {len(row) for row in rows} == {len(heads)}
    assert rows[0][1] == "0.0 [0.0, 0.0]"
    assert rows[-1][1] == "1.00 [1.00, 1.00]"


def test_pictures_cannot_be_edited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["evaluate", "--target", str(tmp_path), "--frames", str(tmp_path), "--edits", "-o", str(tmp_path / "out")])
    assert code == 2
    assert "--edits wants --checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
