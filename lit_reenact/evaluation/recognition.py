"""Metrics that need a network of the user's own: identity similarity and the Frechet distance."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance

from lit_reenact.metrics.backbones import OnnxBackbone
from lit_reenact.metrics.identity import align_faces, identity_similarity

_BATCH = 16


@torch.inference_mode()
def measure_identity(outputs: Mapping[str, Tensor], real: Tensor, landmarks: Tensor, network: OnnxBackbone) -> dict[str, Tensor]:
    """Measure how similar the person in each generated frame is to the one in the real frame.

    Both faces are cropped where the real one was detected, so a face in another place counts as less similar.

    Args:
        outputs: method to its frames, uint8 (T, H, W, 3).
        real: real frames, uint8 (T, H, W, 3).
        landmarks: landmarks of the real frames in pixels, (T, 478, 3); NaN where no face was detected.
        network: face recognition network.

    Returns:
        Method to the cosine of the two faces' embeddings, (T,) in [-1, 1]; NaN where no face was detected.
    """
    detected = landmarks.isfinite().all(-1).all(-1)
    wanted = _embeddings(real, landmarks, detected, network)
    similarity = {}
    for method, frames in outputs.items():
        row = landmarks.new_full((len(landmarks),), torch.nan)
        row[detected] = identity_similarity(_embeddings(frames, landmarks, detected, network), wanted)
        similarity[method] = row
    return similarity


def _embeddings(frames: Tensor, landmarks: Tensor, detected: Tensor, network: OnnxBackbone) -> Tensor:
    """Return the embeddings (M, F) of the faces in the M frames that show one."""
    batches = zip(torch.split(frames[detected], _BATCH), torch.split(landmarks[detected], _BATCH), strict=True)
    return torch.cat([network(align_faces(*batch)) for batch in batches])


@torch.inference_mode()
def measure_fid(outputs: Mapping[str, Tensor], real: Tensor, network: OnnxBackbone) -> dict[str, float]:
    """Measure the Frechet distance between the features of generated and real frames (Heusel et al. 2017).

    It is 0 for equal sets and has no upper bound. Fewer frames than features make it too large, so it compares only systems
    that are measured on the same frames.

    Args:
        outputs: method to its frames, uint8 (T, H, W, 3); at least two frames.
        real: real frames, uint8 (T, H, W, 3).
        network: Inception or any other feature network.

    Returns:
        Method to its distance.
    """
    distance = FrechetInceptionDistance(feature=network, reset_real_features=False)
    _update(distance, real, is_real=True)
    distances = {}
    for method, frames in outputs.items():
        distance.reset()  # keeps the features of the real frames
        _update(distance, frames, is_real=False)
        distances[method] = float(distance.compute())
    return distances


def _update(distance: FrechetInceptionDistance, frames: Tensor, is_real: bool) -> None:
    for batch in torch.split(frames.permute(0, 3, 1, 2), _BATCH):
        distance.update(batch, real=is_real)
