"""Metrics of every held-out frame of a clip, each frame by itself and from frame to frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.evaluation.frame_metrics import Values, compare_frames
from lit_reenact.evaluation.network_metrics import measure_with_networks
from lit_reenact.evaluation.steadiness import measure_steadiness
from lit_reenact.face import load_face_model
from lit_reenact.rendering.renderer import make_renderer
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video.cuts import cuts_in


def measure_frames(
    target: TrackedClip, test: range, real: Tensor, outputs: Mapping[str, Tensor], with_networks: bool = True
) -> Values:
    """Return the metrics of each frame: method to metric to (N,) or (N, K), NaN where no face is known.

    Args:
        target: clip whose track says where the face is.
        test: numbers of the N frames in the clip.
        real: real frames, uint8 (N, S, S, 3).
        outputs: method to its frames, uint8 (N, S, S, 3).
        with_networks: whether to measure by networks too, which takes about as long as all else.

    Raises:
        ReenactError: no face is known in any of the frames.
    """
    track = target.track
    known = track.valid[test.start : test.stop]
    if not known.any():
        raise ReenactError(f"{target.clip} shows no face in its held-out part, so nothing can be measured: use another video")
    renderer = make_renderer(load_face_model(track.info.face_model), track.actor, track.camera, real.shape[1])
    regions = renderer.regions(track.parameters[test.start : test.stop])
    values = compare_frames(outputs, real, regions)
    follows = torch.ones(len(test), dtype=torch.bool)
    follows[[0, *cuts_in(test, target.track.info.cuts)]] = False
    steadiness = measure_steadiness(outputs, real, follows)
    seen = measure_with_networks(outputs, real, regions, real_landmarks(target, test, real.shape[1])) if with_networks else {}
    return {method: _mask(known, metrics | seen.get(method, {}) | steadiness[method]) for method, metrics in values.items()}


def real_landmarks(target: TrackedClip, frames: Sequence[int], size: int) -> Tensor:
    """Return the landmarks of frames of a clip, (N, 478, 3) in pixels of frames of this size; NaN where no face was detected."""
    landmarks, numbers = target.track.landmarks, list(frames)
    points, detected = landmarks.points[numbers], landmarks.found[numbers]
    return torch.where(detected[:, None, None], points * (size / target.track.camera.width), torch.nan).float()


def _mask(known: Tensor, metrics: dict[str, Tensor]) -> dict[str, Tensor]:
    """Replace the values (N, ...) of frames without a known face, bool (N,), by NaN."""
    return {name: torch.where(known.view(-1, *[1] * (series.ndim - 1)), series, torch.nan) for name, series in metrics.items()}
