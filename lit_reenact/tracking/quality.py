"""Quality of a track: figures for the report, each against the clip itself."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.core.geometry import head_to_camera, project
from lit_reenact.core.schema import FACE, Track
from lit_reenact.face import FaceModel
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.rendering.shading import irradiance
from lit_reenact.tracking import photometric
from lit_reenact.tracking.complexion import learn_complexion
from lit_reenact.tracking.energy import length
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.shape import spread_evenly
from lit_reenact.tracking.skin_colour import find_features
from lit_reenact.tracking.smoothing import Timing
from lit_reenact.tracking.tracked_skin import TrackedSkin, sparse_skin, training_spread
from lit_reenact.video import FrameReader

MEASURED_FRAMES = 16
"""Maximum number of frames that a photometric error is measured in, and learned from."""


def projected_landmarks(track: Track, model: FaceModel) -> Tensor:
    """Project the landmarks of a track into the clip: (T, 468, 2) pixels."""
    landmarks = model.landmarks_of(track.actor, track.parameters)
    placed = head_to_camera(landmarks, track.parameters.rotation, track.parameters.translation)
    return project(placed, track.camera)[..., :2]


def jitter(points: Tensor) -> Tensor:
    """Average the second differences over time of points (T, L, 2): (T,) in their unit, NaN in the first and the last frame."""
    if len(points) < 3:
        return points.new_full((len(points),), torch.nan)
    second = length(points[2:] - 2 * points[1:-1] + points[:-2]).mean(-1)
    return pad(second, (1, 1), value=torch.nan)


def jitter_ratio(track: Track, model: FaceModel) -> float:
    """Divide the jitter of the track by that of its landmarks: 1 is as restless as they are, 0 perfectly calm."""
    raw = jitter(track.landmarks.points[:, :FACE_POINTS, :2])
    fitted = jitter(projected_landmarks(track, model))
    both = raw.isfinite() & fitted.isfinite()
    return float(fitted[both].mean() / raw[both].mean())


def photometric_gain(track: Track) -> str:
    """Describe in words how refinement on the image changed the photometric error."""
    measured = track.photometric_error.isfinite().all(-1)
    if not bool(measured.any()):
        return "not measured, for no held-out frame shows the face"
    before, after = track.photometric_error[measured].mean(0).tolist()
    return f"{after:.1f} of 255 levels on skin in held-out frames, {before:.1f} with pose and expression from landmarks alone"


def skin_error(track: Track, model: FaceModel, reader: FrameReader, numbers: Tensor) -> Tensor:
    """Compare the diffuse rendering with the clip on bare skin, without eyes and mouth.

    Args:
        track: track of the clip.
        model: face model of the track.
        reader: frames of the clip.
        numbers: int64 (N,) frames to compare.

    Returns:
        (N,) mean absolute differences in levels of 255, NaN in frames without skin.
    """
    renderer = ConditioningRenderer(model, track.actor, track.camera)
    parameters = track.parameters[numbers]
    diffuse, skin = renderer(parameters)[:, :3].cpu().float(), (renderer.regions(parameters) == FACE).cpu()
    seen = reader.read(numbers.tolist()).permute(0, 3, 1, 2).float()
    difference = (diffuse - seen).abs().mean(1)  # (N, H, W)
    return (difference * skin).sum((1, 2)) / skin.sum((1, 2))


def photometric_error(skin: TrackedSkin, timing: Timing, settings: TrackerSettings) -> Tensor:
    """Compare the colours that a tracked shape predicts with the picture, in some held-out frames.

    The reflectance is learned from training frames under this very shape, and the light is fitted to each held-out frame, so the
    error measures the shape alone.

    Args:
        skin: skin of the tracked clip.
        timing: which of the T frames are seen, valid, repeated, and used for training.
        settings: settings of the tracker.

    Returns:
        (T,) mean absolute differences of the diffuse colour on visible skin points, in levels of 255; NaN in all other frames.
    """
    points = sparse_skin(skin.model, settings)
    feature = find_features(skin.model, points)
    learned = learn_complexion(skin.sample(points, training_spread(timing, MEASURED_FRAMES)), feature, settings)
    usable = timing.seen & timing.valid
    held_out = usable[timing.actor_frames :].nonzero()[:, 0] + timing.actor_frames
    numbers = held_out[spread_evenly(len(held_out), MEASURED_FRAMES)]
    error = torch.full((len(usable),), torch.nan)
    if len(numbers):
        samples = skin.sample(points, numbers)
        samples = replace(samples, weight=samples.weight * learned.reliable)
        light = photometric.fit_light(samples, learned.albedo, settings.light_steadiness, learned.usual)
        difference = (learned.albedo * irradiance(samples.normal, light) - samples.colour).abs().mean(-1)
        visible = samples.weight > 0
        error[numbers] = 255 * (difference * visible).sum(1) / visible.sum(1)
    return error
