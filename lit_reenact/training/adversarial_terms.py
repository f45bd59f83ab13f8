"""Terms that need discriminators: what these minimise, and what the generator minimises because of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from lit_reenact.core.schema import Window
from lit_reenact.losses import adversarial
from lit_reenact.losses.settings import LossSettings
from lit_reenact.networks.blocks import frozen
from lit_reenact.networks.discriminator import PatchDiscriminator
from lit_reenact.networks.discriminators import SCALES, View, view
from lit_reenact.networks.settings import InputSettings
from lit_reenact.training.objective import Terms


class Judgement(NamedTuple):
    """Logits (N, 1, h, w) and feature maps of a discriminator.

    Attributes:
        frame: (N, 3, h, w) real frames, or the parts of them that were judged.
        real: logits of real frames.
        fake: logits of generated frames, constants for the generator.
        generated: logits of generated frames, which the discriminator is a constant for.
        features_real: feature maps of real frames.
        features_generated: feature maps of generated frames, which the discriminator is a constant for.
        counts: bool (N,), False for parts that are not shown; None if all are.
    """

    frame: Tensor
    real: Tensor
    fake: Tensor
    generated: Tensor
    features_real: list[Tensor]
    features_generated: list[Tensor]
    counts: Tensor | None


def adversarial_terms(
    weights: LossSettings, inputs: InputSettings, batch: Window, fake: Tensor, discriminators: Mapping[str, PatchDiscriminator]
) -> tuple[Terms, dict[str, Tensor]]:
    """Return the losses of all networks that use a discriminator, and the logits of the discriminator of whole frames.

    Args:
        weights: weights of all losses.
        inputs: images and frames that the networks see.
        batch: real frames with their conditioning and their regions.
        fake: (B, 3, H, W) generated frames in [-1, 1].
        discriminators: networks by name; each loss reaches one of them, or the generator, only.

    Returns:
        The terms, and the logits (B, 1, h, w) by the names ``logits_real`` and ``logits_fake``.
    """
    judged = {
        name: judge(network, view(name, inputs, batch), batch.frame, fake, needs_gradient=name in SCALES and bool(weights.r1))
        for name, network in discriminators.items()
    }
    terms = _whole_frames(weights, [judged[name] for name in SCALES if name in judged])
    for part, weight in weights.details.items():
        one = judged[f"{part}_discriminator"]
        terms[f"{part}_discriminator"] = 1.0, _discriminator_loss(one, weights)
        terms[f"{part}_adversarial"] = weight, _generator_loss(one, weights)
    if "discriminator" not in judged:
        return terms, {}
    return terms, {"logits_real": judged["discriminator"].real.detach(), "logits_fake": judged["discriminator"].fake.detach()}


def judge(discriminator: PatchDiscriminator, seen: View, frame: Tensor, fake: Tensor, needs_gradient: bool) -> Judgement:
    """Let a discriminator look at real and generated frames (B, 3, H, W); the real ones may need a gradient."""
    embedding = discriminator.embed_conditioning(seen.conditioning)
    real, generated = seen.cut(frame.detach()).requires_grad_(needs_gradient), seen.cut(fake)
    *features_real, logits_real = discriminator.features(embedding, real)
    logits_fake = discriminator.logits(embedding, generated.detach())
    with frozen(discriminator):
        *features_generated, logits = discriminator.features(embedding.detach(), generated)
    return Judgement(real, logits_real, logits_fake, logits, features_real, features_generated, seen.counts)


def _whole_frames(weights: LossSettings, scales: list[Judgement]) -> Terms:
    """Return the terms of whole frames, means over the scales at which they were judged."""

    def mean(loss: Callable[[Judgement], Tensor]) -> Tensor:
        return torch.stack([loss(scale) for scale in scales]).mean()

    if not scales:
        return {}
    terms: Terms = {"discriminator": (1.0, mean(lambda one: _discriminator_loss(one, weights)))}
    if weights.r1:
        terms["r1"] = weights.r1, mean(lambda one: adversarial.r1_penalty(logits=one.real, frame=one.frame))
    terms["generator_adversarial"] = weights.adversarial, mean(lambda one: _generator_loss(one, weights))
    if weights.feature_matching:
        matching = mean(lambda one: adversarial.feature_matching(real=one.features_real, fake=one.features_generated))
        terms["feature_matching"] = weights.feature_matching, matching
    return terms


def _discriminator_loss(one: Judgement, weights: LossSettings) -> Tensor:
    return adversarial.discriminator_loss(real=one.real, fake=one.fake, gan_loss=weights.gan_loss, counts=one.counts)


def _generator_loss(one: Judgement, weights: LossSettings) -> Tensor:
    return adversarial.generator_loss(fake=one.generated, gan_loss=weights.gan_loss, counts=one.counts)
