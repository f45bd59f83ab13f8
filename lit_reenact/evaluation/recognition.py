"""Metrics by networks of the user's own: identity similarity and the Frechet distance. Without a network there is no metric."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance

from lit_reenact.metrics.backbones import OnnxBackbone
from lit_reenact.metrics.identity import aligned_faces, identity_similarity

_BATCH = 16


@torch.inference_mode()
def measure_identity(frames: Tensor, real: Tensor, landmarks: Tensor, network: Path) -> Tensor:
    """Likeness of the person in each made frame to the one in the real frame.

    Both faces are cut out where the real one was found, so a face in another place counts as less alike.

    Args:
        frames: uint8 (T, H, W, 3), made.
        real: the same, real.
        landmarks: (T, 478, 3) of the real frames, in their pixels; NaN where no face was seen.
        network: ONNX file of a face recognition network.

    Returns:
        (T,) in [-1, 1]; NaN where no face was seen.

    Raises:
        ReenactError: as ``OnnxBackbone``.
    """
    backbone = OnnxBackbone(network)
    likeness = []
    for made, true, points in zip(*(torch.split(x, _BATCH) for x in (frames, real, landmarks)), strict=True):
        seen = points.isfinite().all(-1).all(-1)
        row = points.new_full((len(points),), torch.nan)
        if bool(seen.any()):
            row[seen] = identity_similarity(*(backbone(aligned_faces(x[seen], points[seen])) for x in (made, true)))
        likeness.append(row)
    return torch.cat(likeness)


@torch.inference_mode()
def measure_fid(frames: Tensor, real: Tensor, network: Path) -> float:
    """Frechet distance between the features of made and real frames (Heusel et al. 2017): 0 for equal sets, no upper bound.

    Fewer frames than features make it too large, so it compares only systems measured on the same frames.

    Args:
        frames: uint8 (T, H, W, 3), made; at least two.
        real: the same, real.
        network: ONNX file of the Inception network, or any other.

    Raises:
        ReenactError: as ``OnnxBackbone``.
    """
    distance = FrechetInceptionDistance(feature=OnnxBackbone(network))
    for images, is_real in ((frames, False), (real, True)):
        for batch in torch.split(images.permute(0, 3, 1, 2), _BATCH):
            distance.update(batch, real=is_real)
    return float(distance.compute())
