"""How often each training frame is drawn: what a person rarely does would otherwise hardly be learned."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.schema import Track
from lit_reenact.face import load_face_model
from lit_reenact.tracking.problem import landmark_weights

NEIGHBOURS = 10
LIMIT = 5.0
"""A frame is drawn at most this many times as often as a common one."""

RIM_WEIGHT = 16.0
"""Say of the square of a move of lips, lids and brows, against that of cheeks and forehead: they are small, but say the most."""

HEAD_LEVER, EYE_LEVER = 80.0, 12.0
"""Millimetres that the tip of the nose, and an iris, move for a radian of rotation."""


def rarity(features: Tensor, neighbours: int = NEIGHBOURS, limit: float = LIMIT) -> Tensor:
    """Weights (N,) in [1, limit] of points (N, F): distance to the k-th nearest neighbour, over the median of these distances."""
    distance = torch.cdist(features, features).sort(dim=1).values[:, min(neighbours, len(features) - 1)]
    return (distance / distance.median().clamp_min(1e-6)).clamp(1.0, limit)


def frame_weights(track: Track, frames: list[int]) -> Tensor:
    """Weights (N,) of some frames of a track, by how rare expression, head pose and gaze are among them, all measured in mm."""
    parameters, model = track.parameters[torch.tensor(frames)], load_face_model(track.info.face_model)
    landmarks = model.landmarks_of(track.actor, parameters)  # (N, 468, 3)
    say = landmark_weights(RIM_WEIGHT)  # 1 on average
    expression = (landmarks * say.sqrt()[:, None]).flatten(1) / len(say) ** 0.5
    return rarity(torch.cat([expression, HEAD_LEVER * parameters.rotation, EYE_LEVER * parameters.gaze], dim=1))
