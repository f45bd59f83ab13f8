"""Identity of the person in generated and real frames, by a face recognition network (ArcFace, Deng et al. 2019)."""

from __future__ import annotations

import torch
from kornia.geometry.transform import warp_affine
from torch import Tensor
from torch.nn.functional import cosine_similarity

from lit_reenact.core.facemesh import (
    LEFT_INNER_EYE,
    LEFT_MOUTH_CORNER,
    LEFT_OUTER_EYE,
    NOSE_TIP,
    RIGHT_INNER_EYE,
    RIGHT_MOUTH_CORNER,
    RIGHT_OUTER_EYE,
)
from lit_reenact.metrics.alignment import similarity_transform

SIZE = 112
"""Side of the pictures that face recognition networks take, pixels."""

EYE_LEFT_CORNERS, EYE_RIGHT_CORNERS = (LEFT_OUTER_EYE, LEFT_INNER_EYE), (RIGHT_OUTER_EYE, RIGHT_INNER_EYE)
"""Corners of each eye; their middle is the eye's place."""

PLACES = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Places of the five aligned points: right eye, left eye, nose, right and left mouth corner; pixel centres at integers."""


def five_points(landmarks: Tensor) -> Tensor:
    """Return the five points (T, 5, 2), in the order of ``PLACES``, of FaceMesh landmarks (T, 478, 3)."""
    flat = landmarks[..., :2]
    eyes = [flat[:, list(corners)].mean(1) for corners in (EYE_RIGHT_CORNERS, EYE_LEFT_CORNERS)]
    return torch.stack([*eyes, flat[:, NOSE_TIP], flat[:, RIGHT_MOUTH_CORNER], flat[:, LEFT_MOUTH_CORNER]], 1)


def align_faces(frames: Tensor, landmarks: Tensor) -> Tensor:
    """Cut out and align faces for a face recognition network.

    Args:
        frames: uint8 (T, H, W, 3).
        landmarks: (T, 478, 3) in pixels of the frames, with pixel centres at half-integers.

    Returns:
        float32 (T, 3, 112, 112) in [-1, 1].
    """
    transform = similarity_transform(five_points(landmarks) - 0.5, landmarks.new_tensor(PLACES))
    images = frames.permute(0, 3, 1, 2).float() / 127.5 - 1
    faces: Tensor = warp_affine(
        images, transform, (SIZE, SIZE), align_corners=True
    )  # as ArcFace's users align, without averaging
    return faces


def identity_similarity(features: Tensor, real: Tensor) -> Tensor:
    """Return the cosine (T,) between features (T, F) of generated and of real faces; in [-1, 1], 1 for the same person."""
    return cosine_similarity(features, real, dim=-1)
