"""One frame against the whole video, and exported files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lit_reenact.app.driving import drive_target
from lit_reenact.app.export import export
from lit_reenact.app.performance import UneditedPerformance
from lit_reenact.app.preview import Preview, make_preview, read_driving_frame, read_target_frame
from lit_reenact.app.session import EditingSession
from lit_reenact.core.errors import ReenactError
from lit_reenact.edit import read_edit
from lit_reenact.provenance.verifying import read_signature
from lit_reenact.synthesis.inference import render_frames
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import PRESETS, resample_track, transfer
from lit_reenact.video import FrameReader, read_tags
from tests.factories import make_track


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> TrackedClip:
    """Another person, at twice the frame rate."""
    folder = tmp_path_factory.mktemp("source")
    make_track(folder, frames=60, size=64, fps=10, seed=3)  # type: ignore[arg-type]
    return TrackedClip.load(folder)


@pytest.mark.parametrize("frame", [0, 1, 17, 18, 39])
def test_a_frame_is_that_of_the_whole_video(frame: int, session: EditingSession) -> None:
    """Also beside a cut: no window contains frames of both sides."""
    cut = replace(session, performance=replace(session.performance, cuts=(18,)))
    done = cut.move({"head_yaw": 10.0}).set_keyframe().go_to(30).move({"head_yaw": -10.0, "jawOpen": 0.5}).go_to(frame)
    whole = render_frames(session.run.generator, session.run.renderer, done.edit_frames(0, 40), (18,))
    frames, conditioning = (torch.cat(chunks) for chunks in zip(*whole, strict=True))
    preview = make_preview(done)
    assert torch.equal(preview.conditioning, conditioning[frame])
    assert (preview.frame.short() - frames[frame].short()).abs().max() <= 1
    assert not torch.equal(preview.conditioning, make_preview(cut.go_to(frame)).conditioning)


def test_the_target_goes_forwards_and_back(session: EditingSession) -> None:
    parameters = session.performance.parameters
    doubled = UneditedPerformance(parameters[torch.arange(80) % 40], ())
    long = session.perform(doubled)
    own = session.run.target.read(slice(None), 64)
    for frame, number in ((0, 0), (39, 39), (40, 38), (78, 0), (79, 1)):
        assert torch.equal(read_target_frame(long.go_to(frame)), own[number])
    assert read_driving_frame(long) is None


def test_a_driver_of_another_rate_is_brought_to_the_targets(session: EditingSession, source: TrackedClip) -> None:
    performance = drive_target(session.run, source, PRESETS["expression"])
    assert len(performance) == 30
    expected = transfer(resample_track(source.track, session.run.target.fps), session.run.target.track, PRESETS["expression"])
    assert torch.equal(performance.parameters.expression, expected.expression)
    frame = read_driving_frame(session.perform(performance).go_to(10))
    assert frame is not None
    assert torch.equal(frame, source.read(range(20, 21), 64)[0])


def test_a_driver_is_missed_only_where_one_is_needed(session: EditingSession) -> None:
    assert len(drive_target(session.run, None, PRESETS["eye-contact"])) == 40
    with pytest.raises(ReenactError, match="no source is chosen"):
        drive_target(session.run, None, PRESETS["full"])


def apart(frame: Tensor, other: Preview) -> float:
    """Levels of 255 between means over 8 x 8 pixels, of which compression leaves more than of each."""
    difference = (frame.float() - other.frame.float()).permute(2, 0, 1)
    return float(torch.nn.functional.avg_pool2d(difference, 8).abs().mean())


def test_exported_files(session: EditingSession, source: TrackedClip, tmp_path: Path) -> None:
    done = session.perform(drive_target(session.run, source, PRESETS["full"])).move({"head_yaw": 10.0})
    shares: list[float] = []
    video, edit = export(done, tmp_path, report_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    frames = FrameReader(video)[:]
    assert frames.shape == (30, 64, 64, 3)
    assert apart(frames[12], make_preview(done.go_to(12))) < apart(frames[12], make_preview(done.reset().go_to(12)))
    assert read_edit(edit, session.run.model) == done.to_edit()
    signature = read_signature(video)
    assert signature is not None
    assert signature.intact
    settings = signature.manifest["assertions"][-1]["data"]["settings"]
    assert settings["edits"]["sliders"] == {"head_yaw": 10.0}
    assert settings["policy"]["rotation"]["mode"] == "relative"
    assert settings["any_light"] is False
    assert "AI-generated" in read_tags(video)["comment"]


def test_another_original_is_refused(session: EditingSession, source: TrackedClip, tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match="is not the video"):
        export(session, tmp_path, original=source.clip)
