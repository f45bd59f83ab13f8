"""Weights and kinds of the losses of a training."""

from __future__ import annotations

from dataclasses import dataclass, fields

from lit_reenact.losses.adversarial import GanLoss
from lit_reenact.losses.perceptual import LpipsBackbone


@dataclass(frozen=True)
class LossSettings:
    """Weights of the losses, and the kinds of two of them. A weight of 0 leaves its loss out altogether.

    Attributes:
        gan_loss: cost of the discriminator's logits: ``vanilla`` (the paper), ``least_squares`` or ``hinge``.
        adversarial: weight of the GAN loss in the generator's objective; 0 trains without a discriminator of whole frames.
        mouth_adversarial: weight of the GAN loss of a small discriminator of crops of the mouth.
        eyes_adversarial: weight of the GAN loss of a small discriminator of crops of each eye.
        feature_matching: weight of the difference between the discriminator's feature maps of real and generated frames.
        r1: weight of the R1 penalty in the discriminator's objective.
        l1: weight of the mean absolute difference.
        face_l1: weight of L1 over the face alone; in the whole image a face is too small to count for much.
        eyes_l1: weight of L1 over the eyes with their lids.
        mouth_l1: weight of L1 over the mouth with its lips.
        lpips: weight of the perceptual distance.
        face_lpips: weight of the perceptual distance of crops of the face, of three quarters of the frame's size.
        mouth_lpips: weight of the perceptual distance of crops of the mouth, enlarged to half of the frame's size.
        lpips_backbone: network of the perceptual distance: ``alex`` is shipped, ``squeeze`` and ``vgg`` are downloaded.
        temporal: weight of what changes otherwise than in the real frames, along their optical flow; needs ``data.loading.flow``.
    """

    gan_loss: GanLoss = "vanilla"
    adversarial: float = 1.0
    mouth_adversarial: float = 0.0
    eyes_adversarial: float = 0.0
    feature_matching: float = 0.0
    r1: float = 0.0
    l1: float = 100.0
    face_l1: float = 0.0
    eyes_l1: float = 0.0
    mouth_l1: float = 0.0
    lpips: float = 100.0
    face_lpips: float = 0.0
    mouth_lpips: float = 0.0
    lpips_backbone: LpipsBackbone = "alex"
    temporal: float = 0.0

    @property
    def details(self) -> dict[str, float]:
        """Weights of the GAN losses of what people look at, ``mouth`` and ``eyes``; those of 0 are left out."""
        weights = {"mouth": self.mouth_adversarial, "eyes": self.eyes_adversarial}
        return {part: weight for part, weight in weights.items() if weight}

    @property
    def perceives(self) -> bool:
        """True if a loss needs the perceptual distance."""
        return bool(self.lpips or self.face_lpips or self.mouth_lpips)


WEIGHTS = tuple(field.name for field in fields(LossSettings) if field.type == "float")
"""Names of the settings that are weights."""
