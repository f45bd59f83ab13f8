"""Distances to the nearest key frame, compared with distances of single frames."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lit_reenact.face import load_face_model
from lit_reenact.rendering import key_frame_distance as module
from lit_reenact.rendering.key_frame_distance import key_frame_distance, share_beyond
from lit_reenact.rendering.reference_selection import key_frame_features
from lit_reenact.tracking.trackfile import load_track
from tests.factories import track_folder

__all__ = ["track_folder"]


def test_the_nearest_key_frame_counts_that_a_frame_may_be_shown(track_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    track, numbers = load_track(track_folder), torch.tensor([3, 30, 50])
    monkeypatch.setattr(module, "_BATCH", 32)  # 120 frames are no multiple of it
    features = key_frame_features(load_face_model("builtin"), track.actor, track.camera, track.parameters)
    single = torch.stack([(features - features[number]).square().sum(1).sqrt() for number in numbers], 1)
    allowed = torch.rand(120, 3, generator=torch.Generator().manual_seed(0)) < 0.5
    allowed[7], allowed[3] = False, True
    distances = key_frame_distance(track, track.parameters[numbers], track.parameters, allowed)
    expected = [min((float(single[t, k]) for k in range(3) if allowed[t, k]), default=torch.inf) for t in range(120)]
    assert distances.tolist() == pytest.approx(expected, abs=1e-3)
    assert distances[7] == torch.inf
    assert distances[3] == 0
    assert torch.allclose(key_frame_distance(track, track.parameters[numbers], track.parameters), single.amin(1), atol=1e-3)


def test_frames_count_as_far_beyond_99_percent_of_training() -> None:
    training = torch.arange(101.0)  # 99 % of them lie within 99
    assert share_beyond(torch.tensor([0.0, 98.9, 99.0, 99.1, torch.inf]), training) == pytest.approx(0.4)
