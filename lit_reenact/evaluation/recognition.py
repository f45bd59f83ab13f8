"""Metrics by networks of the user's own: identity similarity and the Frechet distance. Without a network there is no metric."""

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
    """Likeness of the person in each made frame to the one in the real frame.

    Both faces are cut out where the real one was found, so a face in another place counts as less alike.

    Args:
        outputs: method to its frames, uint8 (T, H, W, 3).
        real: the real frames, the same.
        landmarks: (T, 478, 3) of the real frames, in their pixels; NaN where no face was seen.
        network: for face recognition.

    Returns:
        Method to (T,) in [-1, 1]; NaN where no face was seen.
    """
    seen = landmarks.isfinite().all(-1).all(-1)
    wanted = _features(real, landmarks, seen, network)
    likeness = {}
    for method, frames in outputs.items():
        row = landmarks.new_full((len(landmarks),), torch.nan)
        row[seen] = identity_similarity(_features(frames, landmarks, seen, network), wanted)
        likeness[method] = row
    return likeness


def _features(frames: Tensor, landmarks: Tensor, seen: Tensor, network: OnnxBackbone) -> Tensor:
    """Of the faces in the frames that show one, (M, F)."""
    batches = zip(torch.split(frames[seen], _BATCH), torch.split(landmarks[seen], _BATCH), strict=True)
    return torch.cat([network(align_faces(*batch)) for batch in batches])


@torch.inference_mode()
def measure_fid(outputs: Mapping[str, Tensor], real: Tensor, network: OnnxBackbone) -> dict[str, float]:
    """Frechet distance between the features of made and real frames (Heusel et al. 2017): 0 for equal sets, no upper bound.

    Fewer frames than features make it too large, so it compares only systems measured on the same frames.

    Args:
        outputs: method to its frames, uint8 (T, H, W, 3); at least two.
        real: the real frames, the same.
        network: Inception, or any other.

    Returns:
        Method to its distance.
    """
    distance = FrechetInceptionDistance(feature=network, reset_real_features=False)
    _update(distance, real, is_real=True)
    found = {}
    for method, frames in outputs.items():
        distance.reset()  # what was made, not what is real
        _update(distance, frames, is_real=False)
        found[method] = float(distance.compute())
    return found


def _update(distance: FrechetInceptionDistance, frames: Tensor, is_real: bool) -> None:
    for batch in torch.split(frames.permute(0, 3, 1, 2), _BATCH):
        distance.update(batch, real=is_real)
