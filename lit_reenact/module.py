"""Training of the generator against the discriminator: manual optimisation, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Adam, Optimizer

from lit_reenact import adversarial, losses
from lit_reenact.networks.blocks import Norm
from lit_reenact.networks.discriminator import DiscriminatorNorm, PatchDiscriminator
from lit_reenact.networks.generator import Generator, Head
from lit_reenact.schema import CONDITIONING, EMPTY, EYES, MOUTH, ConditioningImage, Window, conditioning_channels
from lit_reenact.windows import Placement


class ReenactModule(LightningModule):
    """Generator and conditional PatchGAN of Deep Video Portraits, with the losses adversarial + L1 + LPIPS.

    Every loss is logged as ``loss/NAME`` without its weight. A weight of 0 leaves the part out altogether: it is neither
    built nor run. ``batch_step`` counts the batches trained on (``global_step`` counts the steps of both optimizers).

    Args:
        window, placement, stride, conditioning, image_size, channels, levels, max_channels, norm, dropout, head: of the
            ``Generator``.
        discriminator_channels, discriminator_layers, discriminator_norm: of the ``PatchDiscriminator``; without a ``norm`` of its
            own it has the generator's.
        game: ``vanilla`` (the paper), ``least_squares`` or ``hinge``: what the logits cost the two networks (``adversarial``).
        lambda_adversarial, lambda_feature_matching, lambda_l1, lambda_face_l1, lambda_eyes_l1, lambda_mouth_l1, lambda_lpips:
            weights of the losses in the generator's objective. ``face_l1``, ``eyes_l1`` and ``mouth_l1`` are L1 over these parts
            alone: in the whole image they are too small to count for much.
        lambda_r1: weight of the R1 penalty in the discriminator's objective.
        lpips_backbone: of ``losses.Lpips``; an untrained one is logged as ``loss/lpips_untrained``.
        learning_rate, beta1: of Adam, for both networks; the callback ``LearningRateSchedule`` lowers the former over time.
        clip_norm: longest gradient of each network; a longer one is shortened to it. 0 does not clip.
    """

    def __init__(
        self,
        window: int = 11,
        placement: Placement = "causal",
        stride: int = 1,
        conditioning: Sequence[ConditioningImage] = CONDITIONING,
        image_size: int = 256,
        channels: int = 64,
        levels: int = 8,
        max_channels: int = 512,
        norm: Norm = "batch",
        dropout: float = 0.5,
        head: Head = "residual",
        discriminator_channels: int = 64,
        discriminator_layers: int = 3,
        discriminator_norm: DiscriminatorNorm | None = None,
        game: adversarial.Game = "vanilla",
        lambda_adversarial: float = 1.0,
        lambda_feature_matching: float = 0.0,
        lambda_r1: float = 0.0,
        lambda_l1: float = 100.0,
        lambda_face_l1: float = 0.0,
        lambda_eyes_l1: float = 0.0,
        lambda_mouth_l1: float = 0.0,
        lambda_lpips: float = 10.0,
        lpips_backbone: losses.LpipsBackbone = "auto",
        learning_rate: float = 2e-4,
        beta1: float = 0.5,
        clip_norm: float = 0.0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.game = game
        self.lambda_adversarial = lambda_adversarial
        self.lambda_feature_matching = lambda_feature_matching
        self.lambda_r1 = lambda_r1
        self.lambda_l1 = lambda_l1
        self.lambda_face_l1 = lambda_face_l1
        self.lambda_eyes_l1 = lambda_eyes_l1
        self.lambda_mouth_l1 = lambda_mouth_l1
        self.lambda_lpips = lambda_lpips
        self.lpips_backbone = lpips_backbone
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.clip_norm = clip_norm
        self.batch_step = 0
        self.generator = Generator(
            window, image_size, channels, levels, max_channels, norm, dropout, head, placement, stride, conditioning
        )
        if lambda_adversarial:
            in_channels = conditioning_channels(conditioning) * window + 3
            self.discriminator = PatchDiscriminator(
                in_channels, discriminator_channels, discriminator_layers, discriminator_norm or norm
            )

    def forward(self, conditioning: Tensor, base: Tensor | None = None) -> Tensor:
        """As ``Generator.forward``."""
        frame: Tensor = self.generator(conditioning, base)
        return frame

    def configure_optimizers(self) -> list[Optimizer]:
        networks = [self.generator, self.discriminator] if self.lambda_adversarial else [self.generator]
        betas = (self.beta1, 0.999)
        return [Adam(network.parameters(), lr=self.learning_rate, betas=betas, fused=True) for network in networks]

    def setup(self, stage: str) -> None:
        """Take the mean training frame from the data module, unless a checkpoint brought one; build what only training needs."""
        if self.generator.head == "residual" and not self.generator.mean_frame.any():
            mean: Tensor = self.trainer.datamodule.mean_frame()  # type: ignore[attr-defined]
            self.generator.set_mean_frame(mean.mean(0) if mean.dim() == 4 else mean)  # of several actors: their mean
        if self.lambda_lpips and stage == "fit":
            self.lpips = losses.Lpips(self.lpips_backbone)

    def training_step(self, batch: Window, batch_idx: int) -> None:
        optimizers = self._optimizers()
        fake = self.forward(batch.conditioning, batch.base)
        terms = self._losses(batch, fake)
        # One backward pass for both networks: DDP waits in every pass for the gradients of all its parameters, so a pass over one
        # network alone would need find_unused_parameters, toggled or not. Each loss reaches its own network only (see _losses).
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(torch.stack([weight * loss for weight, loss in terms.values()]).sum())
        for optimizer in optimizers:
            if self.clip_norm:
                self.clip_gradients(optimizer.optimizer, gradient_clip_val=self.clip_norm, gradient_clip_algorithm="norm")
            optimizer.step()
        self.batch_step += 1
        self.log_dict({f"loss/{name}": loss.detach() for name, (_, loss) in terms.items()})
        self.log("batch_step", float(self.batch_step))

    def validation_step(self, batch: Window, batch_idx: int) -> Tensor:
        """The generated frames, which callbacks receive as ``outputs`` and compare with ``batch.frame``."""
        return self.forward(batch.conditioning, batch.base)

    def test_step(self, batch: Window, batch_idx: int) -> Tensor:
        """As ``validation_step``."""
        return self.forward(batch.conditioning, batch.base)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["batch_step"] = self.batch_step

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.batch_step = checkpoint["batch_step"]

    def _losses(self, batch: Window, fake: Tensor) -> dict[str, tuple[float, Tensor]]:
        """Name to weight and value of every loss that has a weight, of both networks."""
        terms: dict[str, tuple[float, Tensor]] = {}
        if self.lambda_adversarial:
            terms |= self._adversarial(batch, fake)
        if self.lambda_l1:
            terms["l1"] = self.lambda_l1, losses.l1(prediction=fake, target=batch.frame)
        parts = {
            "face_l1": (self.lambda_face_l1, batch.region != EMPTY),
            "eyes_l1": (self.lambda_eyes_l1, batch.region == EYES),
            "mouth_l1": (self.lambda_mouth_l1, batch.region == MOUTH),
        }
        for name, (weight, region) in parts.items():
            if weight:
                terms[name] = weight, losses.region_l1(prediction=fake, target=batch.frame, region=region)
        if self.lambda_lpips:
            terms[self.lpips.name] = self.lambda_lpips, self.lpips(prediction=fake, target=batch.frame).mean()
        return terms

    def _adversarial(self, batch: Window, fake: Tensor) -> dict[str, tuple[float, Tensor]]:
        """The part of ``_losses`` that the discriminator plays."""
        terms: dict[str, tuple[float, Tensor]] = {}
        seen = self.discriminator.look(batch.conditioning)
        frame = batch.frame.detach().requires_grad_(bool(self.lambda_r1))
        *features_real, logits_real = self.discriminator.features(seen, frame)
        logits_fake = self.discriminator.judge(seen, fake.detach())
        terms["discriminator"] = 1.0, adversarial.discriminator_loss(logits_real, logits_fake, self.game)
        if self.lambda_r1:
            terms["r1"] = self.lambda_r1, adversarial.r1_penalty(logits_real, frame)
        with self.toggled_optimizer(self._optimizers()[0]):  # the discriminator's weights are constants for the generator
            *features_fake, logits = self.discriminator.features(seen.detach(), fake)
        terms["generator_adversarial"] = self.lambda_adversarial, adversarial.generator_loss(logits, self.game)
        if self.lambda_feature_matching:
            terms["feature_matching"] = self.lambda_feature_matching, adversarial.feature_matching(features_real, features_fake)
        return terms

    def _optimizers(self) -> list[LightningOptimizer]:
        """The generator's, then the discriminator's if there is one (Lightning hands over a single one without a list)."""
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]
