"""Named, weighted terms of what the two networks minimise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lit_reenact.core.schema import EMPTY, EYES, MOUTH, Window
from lit_reenact.losses import adversarial, reconstruction
from lit_reenact.losses.perceptual import Lpips, region_lpips
from lit_reenact.losses.settings import LossSettings
from lit_reenact.networks.blocks import frozen
from lit_reenact.networks.discriminator import PatchDiscriminator

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
        "face_lpips": (weights.face_lpips, lambda: lpips_over(batch.region != EMPTY, side)),
        "mouth_lpips": (weights.mouth_lpips, lambda: lpips_over(batch.region == MOUTH, side // 2)),
        "temporal": (
            weights.temporal,
            lambda: reconstruction.temporal(prediction=fake, target=batch.frame, flow=batch.flow),
        ),
    }
    return {name: (weight, loss()) for name, (weight, loss) in losses.items() if weight}


def adversarial_terms(
    weights: LossSettings, batch: Window, fake: Tensor, discriminator: PatchDiscriminator
) -> tuple[Terms, dict[str, Tensor]]:
    """Return the losses of both networks that use the discriminator, and its logits.

    Args:
        weights: weights of all losses.
        batch: real frames with their conditioning.
        fake: (B, 3, H, W) generated frames in [-1, 1].
        discriminator: the network; each loss reaches one of the two networks only.

    Returns:
        The terms, and the logits (B, 1, h, w) by the names ``logits_real`` and ``logits_fake``.
    """
    embedding = discriminator.embed_conditioning(batch.conditioning)
    frame = batch.frame.detach().requires_grad_(bool(weights.r1))
    *features_real, logits_real = discriminator.features(embedding, frame)
    logits_fake = discriminator.logits(embedding, fake.detach())
    loss = adversarial.discriminator_loss(real=logits_real, fake=logits_fake, gan_loss=weights.gan_loss)
    terms: Terms = {"discriminator": (1.0, loss)}
    if weights.r1:
        terms["r1"] = weights.r1, adversarial.r1_penalty(logits=logits_real, frame=frame)
    with frozen(discriminator):  # a constant for the generator
        *features_fake, logits = discriminator.features(embedding.detach(), fake)
    terms["generator_adversarial"] = weights.adversarial, adversarial.generator_loss(fake=logits, gan_loss=weights.gan_loss)
    if weights.feature_matching:
        matching = adversarial.feature_matching(real=features_real, fake=features_fake)
        terms["feature_matching"] = weights.feature_matching, matching
    return terms, {"logits_real": logits_real.detach(), "logits_fake": logits_fake.detach()}
