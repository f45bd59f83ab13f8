"""The baselines as a fixed length: their LPIPS on real clips, which no later change may move unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lit_reenact.evaluation.baseline_frames import generate_baselines
from lit_reenact.evaluation.frame_metrics import unit
from lit_reenact.evaluation.heldout import held_out_split
from lit_reenact.losses.perceptual import Lpips
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.tracker import track_video

WARPED = {"d6": 0.0665, "d9": 0.0527}
"""LPIPS of the warped nearest frame on the held-out part of a clip, at 128 pixels."""


@pytest.mark.slow
@pytest.mark.parametrize("name", WARPED)
def test_the_warped_nearest_frame_keeps_its_lpips(shared_dir: Path, tmp_path: Path, name: str) -> None:
    """A change by more than 2 % is a change of the measuring stick: explain it in the changelog, then change the number here."""
    track_video(shared_dir / "videos" / f"{name}.mp4", tmp_path, progress=False)
    clip = TrackedClip.load(tmp_path)
    split = held_out_split(clip, window=11)
    frames, real = generate_baselines(clip, split, 128)["nearest frame, warped"], clip.read(split.test, 128)
    lpips = Lpips()
    with torch.inference_mode():
        pairs = zip(frames.split(16), real.split(16), strict=True)
        values = torch.cat([lpips(prediction=unit(a) * 2 - 1, target=unit(b) * 2 - 1) for a, b in pairs])
    assert values.mean().item() == pytest.approx(WARPED[name], rel=0.02)
