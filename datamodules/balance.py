"""Sampling weights of training frames, so that a network also learns what a person rarely does."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.schema import Track
from lit_reenact.face import load_face_model
from lit_reenact.tracking.problem import landmark_weights

NEIGHBOURS = 10
"""Nearest neighbour, counted from 1, whose distance says how rare a frame is."""

LIMIT = 5.0
"""Largest weight of a frame; a common one has 1."""

RIM_WEIGHT = 16.0
"""Weight of lip, lid and brow landmarks over that of cheeks and forehead: they move little, but express the most."""

HEAD_LEVER, EYE_LEVER = 80.0, 12.0
"""Millimetres that the tip of the nose and an iris move in a rotation by one radian."""


def rarity(features: Tensor, neighbours: int = NEIGHBOURS, limit: float = LIMIT) -> Tensor:
    """Return weights (N,) in [1, limit] of points (N, F): distance to the k-th nearest neighbour over the median distance."""
    distance = torch.cdist(features, features).sort(dim=1).values[:, min(neighbours, len(features) - 1)]
    return (distance / distance.median().clamp_min(1e-6)).clamp(1.0, limit)


def frame_weights(track: Track, frames: list[int]) -> Tensor:
    """Return sampling weights (N,) of frames of a track by the rarity of expression, head pose and gaze, all measured in mm."""
    parameters, model = track.parameters[torch.tensor(frames)], load_face_model(track.info.face_model)
    landmarks = model.landmarks_of(track.actor, parameters)  # (N, 468, 3)
    weights = landmark_weights(RIM_WEIGHT)  # 1 on average
    expression = (landmarks * weights.sqrt()[:, None]).flatten(1) / len(weights) ** 0.5
    return rarity(torch.cat([expression, HEAD_LEVER * parameters.rotation, EYE_LEVER * parameters.gaze], dim=1))
