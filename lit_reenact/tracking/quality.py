"""How good a track is: figures for the report, each against what the clip itself shows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.core.geometry import head_to_camera, project
from lit_reenact.core.schema import FACE, Track
from lit_reenact.face import FaceModel
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.tracking.energy import length
from lit_reenact.video import FrameReader


def projected_landmarks(track: Track, model: FaceModel) -> Tensor:
    """Where the track puts the 468 landmarks, (T, 468, 2) in pixels of the clip."""
    landmarks = model.landmarks_of(track.actor, track.parameters)
    placed = head_to_camera(landmarks, track.parameters.rotation, track.parameters.translation)
    return project(placed, track.camera)[..., :2]


def jitter(points: Tensor) -> Tensor:
    """Mean second difference over time of points (T, L, 2): (T,) in their unit, NaN in the first and the last frame."""
    if len(points) < 3:
        return points.new_full((len(points),), torch.nan)
    second = length(points[2:] - 2 * points[1:-1] + points[:-2]).mean(-1)
    return pad(second, (1, 1), value=torch.nan)


def jitter_ratio(track: Track, model: FaceModel) -> float:
    """Jitter of the track over that of the landmarks it was fitted to: 1 is as restless as they are, 0 perfectly calm."""
    raw = jitter(track.landmarks.points[:, :FACE_POINTS, :2])
    fitted = jitter(projected_landmarks(track, model))
    both = raw.isfinite() & fitted.isfinite()
    return float(fitted[both].mean() / raw[both].mean())


def photometric_gain(track: Track) -> str:
    """What refinement on the image did for the photometric error, in words."""
    measured = track.photometric_error.isfinite().all(-1)
    if not bool(measured.any()):
        return "not measured, for no held-out frame shows the face"
    before, after = track.photometric_error[measured].mean(0).tolist()
    return f"{after:.1f} of 255 levels on skin in held-out frames, {before:.1f} with pose and expression from landmarks alone"


def skin_error(track: Track, model: FaceModel, reader: FrameReader, numbers: Tensor) -> Tensor:
    """E_photo as a person would read it: mean absolute difference on bare skin, in levels of 255, between the diffuse render and
    the clip in the frames int64 (N,): (N,), NaN where no skin is seen. Eyes and mouth are left out.
    """
    renderer = ConditioningRenderer(model, track.actor, track.camera)
    parameters = track.parameters[numbers]
    diffuse, skin = renderer(parameters)[:, :3].cpu().float(), (renderer.regions(parameters) == FACE).cpu()
    seen = reader.read(numbers.tolist()).permute(0, 3, 1, 2).float()
    difference = (diffuse - seen).abs().mean(1)  # (N, H, W)
    return (difference * skin).sum((1, 2)) / skin.sum((1, 2))
