"""The tracker on a real clip, against measures taken from its landmarks without a face model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from lit_reenact.face import builtin_model
from lit_reenact.geometry import axis_angle_to_matrix
from lit_reenact.tracking.energy import length, outer_eye_distance
from lit_reenact.tracking.template import DEPTH_SCALE, eye_openings, mouth_opening
from lit_reenact.tracking.tracker import track_video

CHIN, NASION = 152, 168
LEFT_CORNER, RIGHT_CORNER = 291, 61


def correlation(a: Tensor, b: Tensor) -> float:
    return float(np.corrcoef(a.numpy(), b.numpy())[0, 1])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "error"), [("d9", 1.3), ("d6", 1.6)])
def test_real_clip(shared_dir: Path, tmp_path: Path, name: str, error: float) -> None:
    track = track_video(shared_dir / "videos" / f"{name}.mp4", tmp_path, progress=False)
    model = builtin_model()
    assert track.error.nanmean() <= error

    rotation = axis_angle_to_matrix(track.parameters.rotation)
    turned_back = (track.landmarks.points[:, :468] * rotation.new_tensor([1, -1, -DEPTH_SCALE])) @ rotation
    scale = outer_eye_distance(turned_back)
    fitted = model.mesh(track.actor, track.parameters)

    def expression(shape: str) -> Tensor:
        return track.parameters.expression[:, model.expression_names.index(shape)]

    drop = length(turned_back[:, CHIN] - turned_back[:, NASION]) / scale
    assert correlation(length(fitted[:, CHIN] - fitted[:, NASION]), drop) >= 0.8
    assert correlation(expression("jawOpen") - expression("mouthClose"), mouth_opening(turned_back)) >= 0.8
    for eye, side in enumerate(("Left", "Right")):
        assert correlation(-expression(f"eyeBlink{side}"), eye_openings(turned_back)[:, eye]) >= 0.75
    width = length(turned_back[:, LEFT_CORNER] - turned_back[:, RIGHT_CORNER]) / scale
    assert correlation(expression("mouthSmileLeft") + expression("mouthSmileRight") - expression("mouthPucker"), width) >= 0.8
