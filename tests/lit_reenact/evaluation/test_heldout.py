"""The held-out split: whatever a checkpoint was trained with, no measured frame is a training frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lit_reenact.core.split import Split
from lit_reenact.evaluation import evaluate
from lit_reenact.evaluation.candidates import MODEL, Candidate, synthesise_candidate
from lit_reenact.evaluation.heldout import held_out_split
from lit_reenact.experiments.ablation.measurements import measure_checkpoint
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video import FrameReader, VideoWriter
from tests.factories import make_data, make_module


@pytest.fixture(scope="module")
def target(track_folder: Path) -> TrackedClip:
    return TrackedClip.load(track_folder)


def save_checkpoint(folder: Path, track_folder: Path, split: dict[str, Any]) -> tuple[Path, Split]:
    """Write a checkpoint as a training with this split does; returns it and the split that the training used."""
    module, data = make_module(), make_data(track_folder, split=split)
    state: dict[str, Any] = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    state |= {"datamodule_hyper_parameters": dict(data.hparams), "TrackDataModule": data.state_dict()}
    torch.save(state, folder / "best.ckpt")
    return folder / "best.ckpt", data.split


@pytest.mark.parametrize("settings", [{}, {"fractions": (0.6, 0.1)}, {"fractions": (0.5, 0.25), "training_frames": 20}])
def test_the_split_is_that_of_the_training(
    settings: dict[str, Any], target: TrackedClip, track_folder: Path, tmp_path: Path
) -> None:
    checkpoint, split = save_checkpoint(tmp_path, track_folder, settings)
    assert held_out_split(target, checkpoint, window=3) == split


def test_self_reenactment_shows_exactly_the_frames_held_out_from_the_training(
    target: TrackedClip, track_folder: Path, tmp_path: Path
) -> None:
    checkpoint, split = save_checkpoint(tmp_path, track_folder, {"fractions": (0.85, 0.08)})
    assert split.train[-1] in held_out_split(target).test  # the default split would measure training frames
    candidate = synthesise_candidate(target, checkpoint, progress=False, video=tmp_path / "self.mp4")
    assert candidate.split == split
    video = FrameReader(tmp_path / "self.mp4")
    assert len(video) == len(candidate.frames) == len(split.test)
    shown = video.read([0, len(split.test) - 1])[:, :, :32].float()
    assert (shown - target.read(torch.tensor([split.test[0], split.test[-1]]), 32).float()).abs().mean() < 8
    alone = synthesise_candidate(target, checkpoint, progress=False)
    assert torch.equal(alone.frames, candidate.frames)


def test_a_mark_in_the_video_is_in_no_measured_frame(
    target: TrackedClip, track_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics are taken before any watermark or label, even of one that is drawn into the very frame that it is given."""
    checkpoint, _ = save_checkpoint(tmp_path, track_folder, {})
    alone = synthesise_candidate(target, checkpoint, progress=False)
    write, marked = VideoWriter.write, []

    def write_marked(self: VideoWriter, frame: torch.Tensor) -> None:
        frame[:] = 255
        marked.append(frame)
        write(self, frame)

    monkeypatch.setattr(VideoWriter, "write", write_marked)
    candidate = synthesise_candidate(target, checkpoint, progress=False, video=tmp_path / "self.mp4")
    assert len(marked) == len(candidate.frames)
    assert torch.equal(candidate.frames, alone.frames)
    assert float(candidate.frames.float().mean()) < 250


def test_evaluation_edits_and_ablations_use_the_same_frames(
    target: TrackedClip, track_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, split = save_checkpoint(tmp_path, track_folder, {"fractions": (0.5, 0.1)})
    real = target.read(split.test, 32)
    evaluation = evaluate.evaluate(target, Candidate("real frames", split, real), progress=False)
    assert evaluation.frames == split.test
    assert float(evaluation.values[MODEL]["l1"].max()) == 0
    unseen: list[range] = []
    monkeypatch.setattr(
        evaluate, "measure_network_edits", lambda target, generator, frames, progress: unseen.append(frames) or {}
    )
    monkeypatch.setattr(evaluate, "measure_warped_edits", lambda target, frames, size, progress: unseen.append(frames) or {})
    evaluate.add_edits(evaluation, target, checkpoint, progress=False)
    assert unseen == [range(split.validation.start, split.test.stop)] * 2
    measurements = measure_checkpoint(checkpoint, target, target, tmp_path / "metrics.json")
    assert (measurements.training, measurements.test) == (split.train, split.test)
