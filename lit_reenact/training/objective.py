"""Named, weighted terms of what the networks minimise; those that need a discriminator are in ``adversarial_terms``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lit_reenact.core.schema import EMPTY, EYES, MOUTH, Window
from lit_reenact.losses import reconstruction
from lit_reenact.losses.perceptual import Lpips, region_lpips
from lit_reenact.losses.settings import LossSettings

Terms = dict[str, tuple[float, Tensor]]
"""Name of a loss to its weight and its value."""


def total(terms: Terms) -> Tensor:
    """Return the weighted sum of all terms."""
    return torch.stack([weight * loss for weight, loss in terms.values()]).sum()


def reconstruction_terms(weights: LossSettings, batch: Window, fake: Tensor, lpips: Lpips | None) -> Terms:
    """Return the losses between generated and real frames that have a weight.

    Args:
        weights: weights of all losses.
        batch: real frames and their regions; with the optical flow if ``weights.temporal`` is set.
        fake: (B, 3, H, W) generated frames in [-1, 1].
        lpips: perceptual distance; needed if ``weights.perceives``.
    """

    def l1_over(region: Tensor) -> Tensor:
        return reconstruction.region_l1(prediction=fake, target=batch.frame, region=region)

    def perceptual() -> Tensor:
        assert lpips is not None
        distance: Tensor = lpips(prediction=fake, target=batch.frame)
        return distance.mean()

    def lpips_over(region: Tensor, size: int) -> Tensor:
        assert lpips is not None
        return region_lpips(lpips, prediction=fake, target=batch.frame, region=region, size=size)

    side = batch.frame.shape[-1]
    losses: dict[str, tuple[float, Callable[[], Tensor]]] = {
        "l1": (weights.l1, lambda: reconstruction.l1(prediction=fake, target=batch.frame)),
        "face_l1": (weights.face_l1, lambda: l1_over(batch.region != EMPTY)),
        "eyes_l1": (weights.eyes_l1, lambda: l1_over(batch.region == EYES)),
        "mouth_l1": (weights.mouth_l1, lambda: l1_over(batch.region == MOUTH)),
        "lpips": (weights.lpips, perceptual),
        "face_lpips": (weights.face_lpips, lambda: lpips_over(batch.region != EMPTY, side * 3 // 4)),
        "mouth_lpips": (weights.mouth_lpips, lambda: lpips_over(batch.region == MOUTH, side // 2)),
        "temporal": (
            weights.temporal,
            lambda: reconstruction.temporal(prediction=fake, target=batch.frame, flow=batch.flow),
        ),
    }
    return {name: (weight, loss()) for name, (weight, loss) in losses.items() if weight}
