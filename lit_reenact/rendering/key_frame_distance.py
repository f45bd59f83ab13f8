"""Distance of frames to key frames, in the space in which key frames are chosen (``key_frame_features``)."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.face import load_face_model
from lit_reenact.rendering.reference_selection import key_frame_features

COMMON = 0.99
"""Share of the training frames within the distance that counts as usual; a network hardly learns from the rest."""

_BATCH = 256


def key_frame_distance(
    track: Track, key_frames: FaceParameters, parameters: FaceParameters, allowed: Tensor | None = None
) -> Tensor:
    """Return how far frames are from the nearest key frame that they may be shown.

    Args:
        track: track that the key frames were chosen from.
        key_frames: parameters of the K key frames.
        parameters: parameters of T frames of the same person, tracked or transferred.
        allowed: bool (T, K), key frames that each frame may be shown; None for all.

    Returns:
        (T,) distances in pixels of the clip; infinity where no key frame is allowed.
    """
    model = load_face_model(track.info.face_model)

    def features(some: FaceParameters) -> Tensor:
        return key_frame_features(model, track.actor, track.camera, some)

    shown, batches = features(key_frames), torch.split(torch.arange(len(parameters)), _BATCH)
    exact = "donot_use_mm_for_euclid_dist"  # the faster way is off by pixels where frames are nearly equal
    distances = torch.cat([torch.cdist(features(parameters[batch]), shown, compute_mode=exact) for batch in batches])
    if allowed is not None:
        distances.masked_fill_(~allowed, torch.inf)
    return distances.amin(1)


def share_beyond(distances: Tensor, training: Tensor) -> float:
    """Return the share of frames that are farther from every key frame than 99 % of the training frames.

    Args:
        distances: (T,) distances of the frames to their nearest key frame.
        training: (N,) distances of the training frames to theirs.
    """
    return float((distances > training.quantile(COMMON)).float().mean())
