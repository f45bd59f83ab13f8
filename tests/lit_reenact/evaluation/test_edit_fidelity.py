"""Edit fidelity on tracks with known motion, and the tables that the command prints."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lit_reenact.commands.main import main
from lit_reenact.core.schema import FaceParameters, Landmarks, Track
from lit_reenact.demo_clips.clips import ensure_embedded_clip
from lit_reenact.evaluation import evaluate
from lit_reenact.evaluation.edit_fidelity import (
    PROBES,
    UNITS,
    EditFidelity,
    Probe,
    compare_edits,
    edits_rows,
    measure_warped_edits,
)
from lit_reenact.face import load_face_model
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.tracker import track_video
from tests.factories import make_module, make_parameters, make_track

FRAMES = 40


def make_retracked(folder: Path, versions: list[FaceParameters], lost: tuple[int, ...] = ()) -> Track:
    """Return a track of these versions of a part, one after the other, with no face in the lost frames."""
    parameters = FaceParameters.concatenate(versions)
    detected = torch.ones(len(parameters), dtype=torch.bool)
    detected[list(lost)] = False
    landmarks = Landmarks(torch.zeros(len(parameters), 478, 3), detected)
    return replace(make_track(folder, frames=8), parameters=parameters, landmarks=landmarks)


def plain() -> FaceParameters:
    """Return heads that turn about the upright axis alone, for which yaw is the length of the axis-angle."""
    parameters = make_parameters(load_face_model("builtin"), FRAMES)
    return parameters.replace(rotation=parameters.rotation * torch.tensor([0.0, 1.0, 0.0]))


def test_the_known_motion_is_measured_and_no_other(tmp_path: Path) -> None:
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
    fidelity = compare_edits(make_retracked(tmp_path, versions), FRAMES, probes)
    expected = {"head_yaw=4": 4.0, "gaze_yaw=7": 7.0, "expression_gain=1.3": 1.3}
    for probe in probes:
        values = fidelity[probe.name]
        for measure in UNITS:
            still = 1.0 if measure == "expression" else 0.0
            if measure != probe.measure:
                assert values[measure].value == pytest.approx(still, abs=1e-3), (probe.name, measure)
            elif probe.name in expected:
                assert values[measure].value == pytest.approx(expected[probe.name], abs=1e-3)
                assert values[measure].low == pytest.approx(values[measure].high, abs=1e-3)
    blink = before.expression[:, model.expression_names.index("eyeBlinkLeft")]
    assert fidelity["close_left_eye=1"]["blink_left_level"].value == pytest.approx(0.8)
    assert fidelity["close_left_eye=1"]["blink_left"].value == pytest.approx(0.8 - float(blink.mean()), abs=1e-5)


def test_frames_without_a_detected_face_do_not_count(tmp_path: Path) -> None:
    before = plain()
    wrong = before.rotation + torch.tensor([0.0, math.radians(4), 0.0])
    wrong[:5] += 1.0
    track = make_retracked(tmp_path, [before, before.replace(rotation=wrong)], lost=tuple(range(FRAMES, FRAMES + 5)))
    fidelity = compare_edits(track, FRAMES, (Probe("head_yaw", 4, "yaw"),))
    assert fidelity["head_yaw=4"]["yaw"].value == pytest.approx(4, abs=1e-3)


def test_the_rows_name_every_probe_and_what_moved(tmp_path: Path) -> None:
    before = plain()
    fidelity = compare_edits(make_retracked(tmp_path, [before] * (len(PROBES) + 1)), FRAMES)
    heads, *rows = edits_rows(fidelity)
    assert [row[0] for row in rows] == [probe.name for probe in PROBES]
    assert {len(row) for row in rows} == {len(heads)}
    assert rows[0][1] == "0.0 [0.0, 0.0]"
    assert rows[-1][1] == "1.00 [1.00, 1.00]"


def test_pictures_cannot_be_edited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["evaluate", "--target", str(tmp_path), "--frames", str(tmp_path), "--edits", "-o", str(tmp_path / "out")])
    assert code == 2
    assert "--edits wants --checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_prints_both_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Replaces the tracking: heads turn by 4 degrees in the network's frames and by 5 in the warped ones."""
    folder = tmp_path / "track"
    folder.mkdir()
    track = make_track(folder, frames=70)
    before = plain()

    def turned(degrees: float) -> EditFidelity:
        after = before.replace(rotation=before.rotation + torch.tensor([0.0, math.radians(degrees), 0.0]))
        return compare_edits(make_retracked(tmp_path, [before, after]), FRAMES, PROBES[:1])

    unseen = []
    monkeypatch.setattr(
        evaluate, "measure_network_edits", lambda target, generator, frames, progress: unseen.append(frames) or turned(4)
    )
    monkeypatch.setattr(
        evaluate, "measure_warped_edits", lambda target, frames, size, progress: unseen.append(frames) or turned(5)
    )
    module = make_module(inputs={"window": 1})
    state = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    info = track.info
    state["TrackDataModule"] = {"source": [info.source], "clip_sha256": [info.clip_sha256]}
    torch.save(state, tmp_path / "best.ckpt")
    words = ["--target", str(folder), "--checkpoint", str(tmp_path / "best.ckpt"), "--edits", "-o", str(tmp_path / "out")]
    assert main(["evaluate", *words, "--device", "cpu"]) == 0
    assert unseen == [range(54, 70)] * 2  # 70 % are for training, and a second (5 frames) is left out
    results = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert results["edits"]["head_yaw=5"]["yaw"]["mean"] == pytest.approx(4, abs=1e-3)
    assert results["bent_edits"]["head_yaw=5"]["yaw"]["mean"] == pytest.approx(5, abs=1e-3)
    printed, page = capsys.readouterr().out, (tmp_path / "out" / "report.html").read_text()
    for text in (printed, page):
        assert text.index("4.0 [4.0, 4.0]") < text.index("5.0 [5.0, 5.0]")


@pytest.mark.slow
def test_warped_real_frames_show_the_edits(tmp_path: Path) -> None:
    """The landmark detector knows nothing of the mesh that warped the frames."""
    clip = ensure_embedded_clip("tiny", tmp_path)
    track_video(clip, tmp_path / "track", progress=False)
    target = TrackedClip.load(tmp_path / "track")
    fidelity = measure_warped_edits(target, range(len(target.track)), target.track.camera.width, progress=False)
    assert "gaze_yaw=10" not in fidelity
    assert fidelity["head_yaw=10"]["yaw"].value == pytest.approx(10, abs=3)
    assert fidelity["head_pitch=5"]["pitch"].value == pytest.approx(5, abs=2)
    for side, other in (("left", "right"), ("right", "left")):
        values = fidelity[f"close_{side}_eye=1"]
        assert values[f"blink_{side}"].value > 0.25
        assert abs(values[f"blink_{other}"].value) < 0.1
    assert 1.1 < fidelity["expression_gain=1.5"]["expression"].value < 1.7
