"""Training of the generator against the discriminator: manual optimisation, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Adam

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import CONDITIONING, EMPTY, EYES, MOUTH, ConditioningImage, Window, conditioning_channels
from lit_reenact.losses import adversarial, reconstruction
from lit_reenact.networks.blocks import Norm, frozen
from lit_reenact.networks.discriminator import SMALLEST_MAP, DiscriminatorNorm, PatchDiscriminator
from lit_reenact.networks.generator import Generator, Head
from lit_reenact.networks.windows import Placement

OVERFLOWS = 30
"""Batches in a row that half precision may skip while it looks for a scale at which gradients do not overflow."""


class ReenactModule(LightningModule):
    """Generator and conditional PatchGAN of Deep Video Portraits, with the losses adversarial + L1 + LPIPS.

    Every loss is logged as ``loss/NAME`` without its weight, the length of each network's gradient as ``gradient/NETWORK``, where
    ``is_logged``. A weight of 0 leaves the part out altogether: it is neither built nor run. ``batch_step`` counts the batches
    trained on.

    One optimizer steps both networks, each of them a parameter group: Adam looks at every weight by itself, so this is the same
    as an optimizer each, but half precision has one scale for both, and Lightning's ``global_step`` counts batches, not twice
    as many.

    Args:
        window, placement, stride, conditioning, image_size, channels, levels, max_channels, norm, dropout, head: of the
            ``Generator``.
        discriminator_channels, discriminator_layers, discriminator_norm: of the ``PatchDiscriminator``; without a ``norm`` of its
            own it has the generator's.
        game: ``vanilla`` (the paper), ``least_squares`` or ``hinge``: what the logits cost the two networks (``adversarial``).
        lambda_adversarial, lambda_feature_matching, lambda_l1, lambda_face_l1, lambda_eyes_l1, lambda_mouth_l1, lambda_lpips,
            lambda_temporal: weights of the losses in the generator's objective. ``face_l1``, ``eyes_l1`` and ``mouth_l1`` are L1
            over these parts alone: in the whole image they are too small to count for much. ``temporal`` needs ``data.flow``.
        lambda_r1: weight of the R1 penalty in the discriminator's objective.
        lpips_backbone: of ``losses.Lpips``; an untrained one is logged as ``loss/lpips_untrained``.
        learning_rate, beta1: of Adam, for both networks; the callback ``LearningRateSchedule`` lowers the former over time.
        clip_norm: longest gradient of each network; a longer one is shortened to it. 0 does not clip.
        micro_batches: parts of a batch that are gone through one after the other, for large batches in little memory. Gradients
            add up to that of the whole batch, but for what looks across a batch: batch norm, and the sizes of face regions.
        compile: let ``torch.compile`` fuse the networks' operations: some minutes at the start, faster steps afterwards.
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
        lambda_temporal: float = 0.0,
        lpips_backbone: reconstruction.LpipsBackbone = "auto",
        learning_rate: float = 2e-4,
        beta1: float = 0.5,
        clip_norm: float = 0.0,
        micro_batches: int = 1,
        compile: bool = False,  # noqa: A002 (the name that users know)
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
        self.lambda_temporal = lambda_temporal
        self.lpips_backbone = lpips_backbone
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.clip_norm = clip_norm
        self.micro_batches = micro_batches
        self.batch_step = 0
        self.skipped = 0  # batches in a row
        self._logits: dict[str, Tensor] = {}  # of the last batch
        self.generator = Generator(
            window, image_size, channels, levels, max_channels, norm, dropout, head, placement, stride, conditioning
        )
        if lambda_adversarial:
            if image_size // 2**discriminator_layers < SMALLEST_MAP:
                raise ReenactError(
                    f"model.discriminator_layers is {discriminator_layers}, too many for a model.image_size of {image_size}: of "
                    f"the picture {SMALLEST_MAP} pixels a side must be left, and each layer halves it"
                )
            in_channels = conditioning_channels(conditioning) * window + 3
            self.discriminator = PatchDiscriminator(
                in_channels, discriminator_channels, discriminator_layers, discriminator_norm or norm
            )
        if compile:
            self._compile()

    def forward(self, conditioning: Tensor, base: Tensor | None = None) -> Tensor:
        """As ``Generator.forward``."""
        frame: Tensor = self.generator(conditioning, base)
        return frame

    def configure_optimizers(self) -> Adam:
        groups = [{"params": network.parameters(), "name": name} for name, network in self._networks().items()]
        return Adam(groups, lr=self.learning_rate, betas=(self.beta1, 0.999), fused=True)

    def setup(self, stage: str) -> None:
        """Take the mean training frame from the data module, unless a checkpoint brought one; build what only training needs."""
        if self.generator.head == "residual" and not self.generator.mean_frame.any():
            mean: Tensor = self.trainer.datamodule.mean_frame()  # type: ignore[attr-defined]
            self.generator.set_mean_frame(mean.mean(0) if mean.dim() == 4 else mean)  # of several actors: their mean
        if self.lambda_lpips and stage == "fit":
            self.lpips = reconstruction.Lpips(self.lpips_backbone)

    @property
    def is_logged(self) -> bool:
        """Whether loggers write down what the last batch came to, by ``trainer.log_every_n_steps``; 0 stands for never.

        Between those batches nothing is handed to Lightning: ``log`` takes a millisecond a value.
        """
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every > 0 and self.batch_step % every == 0

    def training_step(self, batch: Window, batch_idx: int) -> dict[str, Tensor]:
        """What callbacks receive as ``outputs``, of the batch's last part: ``real`` and ``fake`` frames, and if there is a
        discriminator its ``logits_real`` and ``logits_fake`` of them.
        """
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        optimizer.zero_grad()
        statistics = [buffer.clone() for buffer in self._statistics()]
        logged: dict[str, Tensor | float] = defaultdict(float)
        parts = batch.split(self.micro_batches)
        for number, part in enumerate(parts, start=1):
            share = len(part.frame) / len(batch.frame)
            fake = self.forward(part.conditioning, part.base)
            terms = self._losses(part, fake)
            # One backward pass for both networks: DDP waits in every pass for the gradients of all its parameters, so a pass over
            # one network alone would need find_unused_parameters, toggled or not. Each loss reaches its own network only.
            with nullcontext() if number == len(parts) else self._without_exchange():
                self.manual_backward(share * torch.stack([weight * loss for weight, loss in terms.values()]).sum())
            for name, (_, loss) in terms.items():
                logged[f"loss/{name}"] += share * loss.detach()
        if not self._step(optimizer, logged):
            for buffer, before in zip(self._statistics(), statistics, strict=True):
                buffer.copy_(before)
        self.batch_step += 1
        if self.is_logged:
            self.log_dict({**logged, "batch_step": float(self.batch_step)})
        return {"real": part.frame, "fake": fake.detach(), **self._logits}

    def validation_step(self, batch: Window, batch_idx: int) -> Tensor:
        """The generated frames, which callbacks receive as ``outputs`` and compare with ``batch.frame``."""
        return self.forward(batch.conditioning, batch.base)

    def test_step(self, batch: Window, batch_idx: int) -> Tensor:
        """As ``validation_step``."""
        return self.forward(batch.conditioning, batch.base)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["batch_step"] = self.batch_step
        checkpoint["skipped"] = self.skipped

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.batch_step = checkpoint["batch_step"]
        self.skipped = checkpoint.get("skipped", 0)

    def _losses(self, batch: Window, fake: Tensor) -> dict[str, tuple[float, Tensor]]:
        """Name to weight and value of every loss that has a weight, of both networks."""
        terms: dict[str, tuple[float, Tensor]] = {}
        if self.lambda_adversarial:
            terms |= self._adversarial(batch, fake)
        if self.lambda_l1:
            terms["l1"] = self.lambda_l1, reconstruction.l1(prediction=fake, target=batch.frame)
        parts = {
            "face_l1": (self.lambda_face_l1, batch.region != EMPTY),
            "eyes_l1": (self.lambda_eyes_l1, batch.region == EYES),
            "mouth_l1": (self.lambda_mouth_l1, batch.region == MOUTH),
        }
        for name, (weight, region) in parts.items():
            if weight:
                terms[name] = weight, reconstruction.region_l1(prediction=fake, target=batch.frame, region=region)
        if self.lambda_lpips:
            terms[self.lpips.name] = self.lambda_lpips, self.lpips(prediction=fake, target=batch.frame).mean()
        if self.lambda_temporal:
            terms["temporal"] = (
                self.lambda_temporal,
                reconstruction.temporal(prediction=fake, target=batch.frame, flow=batch.flow),
            )
        return terms

    def _adversarial(self, batch: Window, fake: Tensor) -> dict[str, tuple[float, Tensor]]:
        """The part of ``_losses`` that the discriminator plays."""
        terms: dict[str, tuple[float, Tensor]] = {}
        seen = self.discriminator.look(batch.conditioning)
        frame = batch.frame.detach().requires_grad_(bool(self.lambda_r1))
        *features_real, logits_real = self.discriminator.features(seen, frame)
        logits_fake = self.discriminator.judge(seen, fake.detach())
        self._logits = {"logits_real": logits_real.detach(), "logits_fake": logits_fake.detach()}
        terms["discriminator"] = 1.0, adversarial.discriminator_loss(logits_real, logits_fake, self.game)
        if self.lambda_r1:
            terms["r1"] = self.lambda_r1, adversarial.r1_penalty(logits_real, frame)
        with frozen(self.discriminator):  # a constant for the generator
            *features_fake, logits = self.discriminator.features(seen.detach(), fake)
        terms["generator_adversarial"] = self.lambda_adversarial, adversarial.generator_loss(logits, self.game)
        if self.lambda_feature_matching:
            terms["feature_matching"] = self.lambda_feature_matching, adversarial.feature_matching(features_real, features_fake)
        return terms

    def _step(self, optimizer: LightningOptimizer, logged: dict[str, Tensor | float]) -> bool:
        """Take the step, unless gradients are not finite; log their lengths, and shorten them if that is asked for."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None:
            scaler.unscale_(optimizer.optimizer)
        lengths = []
        for name, network in self._networks().items():
            length = get_total_norm([weight.grad for weight in network.parameters() if weight.grad is not None])
            logged[f"gradient/{name}"] = length
            lengths.append(length)
            if self.clip_norm:
                clip_grads_with_norm_(network.parameters(), self.clip_norm, length)
        finite = bool(torch.stack(lengths).isfinite().all())
        self.skipped = 0 if finite else self.skipped + 1
        if self.skipped > (1 if scaler is None else OVERFLOWS):
            raise ReenactError(
                f"the gradients of {self.skipped} batches in a row are not finite: training stopped at batch step "
                f"{self.batch_step}; go on from the last checkpoint with a lower model.learning_rate, or model.clip_norm=1"
            )
        if not finite and scaler is None:
            rank_zero_warn(f"the gradients of batch {self.batch_step + 1} are not finite: it is skipped, once")
        else:
            optimizer.step()  # a scaler leaves it out by itself where it must, and then lowers its scale
        return finite

    def _networks(self) -> dict[str, nn.Module]:
        """Those that are trained, by name."""
        return {name: network for name, network in self.named_children() if name in ("generator", "discriminator")}

    def _statistics(self) -> list[Tensor]:
        """What the networks' normalisations remember of batches; one that is not finite would spoil it for good."""
        return [
            buffer for network in self._networks().values() for name, buffer in network.named_buffers() if name != "mean_frame"
        ]

    def _without_exchange(self) -> AbstractContextManager[None]:
        """Gradients stay with this process: only the last part of a batch sends the sum of all."""
        model = self.trainer.strategy.model
        return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()

    def _compile(self) -> None:
        """In place, so that weights keep their names in checkpoints."""
        self.generator.compile()
        if self.lambda_adversarial:
            self.discriminator.look = torch.compile(self.discriminator.look)  # type: ignore[method-assign]
            self.discriminator.features = torch.compile(self.discriminator.features)  # type: ignore[method-assign]
