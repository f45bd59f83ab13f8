"""Training of the generator against the discriminator: manual optimisation, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Adam

from lit_reenact.core.schema import KeyFrames, References, Window
from lit_reenact.losses.perceptual import Lpips
from lit_reenact.losses.settings import LossSettings
from lit_reenact.networks.blend_generator import make_generator
from lit_reenact.networks.discriminator import PatchDiscriminator
from lit_reenact.networks.discriminators import build_discriminators
from lit_reenact.networks.settings import DiscriminatorSettings, GeneratorSettings, InputSettings
from lit_reenact.training.adversarial_terms import adversarial_terms
from lit_reenact.training.gradients import clip_gradients
from lit_reenact.training.objective import Terms, reconstruction_terms, total
from lit_reenact.training.settings import OptimizerSettings
from lit_reenact.training.skipping import NormStatistics, SkippedBatches

OVERFLOWS = 30
"""Batches in a row that half precision may skip while it looks for a scale at which gradients do not overflow."""

INSTANTIATOR = "lightning.pytorch.cli.instantiate_module"
"""Function by which ``load_from_checkpoint`` turns plain settings back into groups."""


class ReenactModule(LightningModule):
    """Generator and conditional PatchGAN of Deep Video Portraits, with the losses adversarial + L1 + LPIPS and several more.

    Every loss is logged as ``loss/NAME`` without its weight, the length of each network's gradient as ``gradient/NETWORK``, where
    ``is_logged``. A weight of 0 leaves the part out altogether: it is neither built nor run. ``batch_step`` counts the batches
    trained on.

    One optimizer steps all networks, each of them a parameter group: Adam looks at every weight by itself, so this is the same
    as an optimizer each, but half precision has one scale for all, and Lightning's ``global_step`` counts batches, not twice
    as many.

    Args:
        inputs: images and frames that the networks see.
        generator: size and layers of the generator.
        discriminator: size and layers of the discriminator; without a ``norm`` of its own it has the generator's.
        losses: weights of the losses; ``losses.adversarial`` of 0 trains without a discriminator of whole frames.
        optimizer: steps of Adam.
        compile: let ``torch.compile`` fuse the networks' operations: some minutes at the start, faster steps afterwards.

    Attributes:
        batch_step: number of batches trained on.
        base: function that returns the mean training frame, (3, H, W) or (A, 3, H, W) of A actors, in [-1, 1], followed by the
            background plate (6 channels) if the network takes one; set it before a training. The network starts from it, unless a
            checkpoint brought another.
        key_frames: function that returns the key frames of each clip; set it before a training with reference frames.
        actors: number of persons to train on; set it before a training with a neural texture.

    Raises:
        ReenactError: the discriminator has too many layers for the size of the images.
        ValueError: the size of the images is no multiple of what the generator's levels halve, or a kind is unknown.

    Example:
        >>> module = ReenactModule(InputSettings(image_size=64), losses=LossSettings(l1=50.0))
        >>> module.base = data.base
        >>> Trainer().fit(module, data)
    """

    discriminator: PatchDiscriminator
    """The discriminator of whole frames; there is none if ``losses.adversarial`` is 0."""

    def __init__(
        self,
        inputs: InputSettings = InputSettings(),
        generator: GeneratorSettings = GeneratorSettings(),
        discriminator: DiscriminatorSettings = DiscriminatorSettings(),
        losses: LossSettings = LossSettings(),
        optimizer: OptimizerSettings = OptimizerSettings(),
        compile: bool = False,  # noqa: A002 (the name that users know)
    ) -> None:
        super().__init__()
        networks = {"inputs": asdict(inputs), "generator": asdict(generator), "discriminator": asdict(discriminator)}
        training = {"losses": asdict(losses), "optimizer": asdict(optimizer), "compile": compile}
        self.save_hyperparameters({**networks, **training, "_instantiator": INSTANTIATOR})
        self.automatic_optimization = False
        self.inputs = inputs
        self.losses = losses
        self.optimizer = optimizer
        self.base: Callable[[], Tensor] | None = None
        self.key_frames: Callable[[], list[KeyFrames]] | None = None
        self.actors = 1
        self.batch_step = 0
        self.skipped = SkippedBatches()
        self._logits: dict[str, Tensor] = {}  # of the last batch
        self._lpips: Lpips | None = None
        self.generator = make_generator(inputs, generator)
        own = replace(discriminator, norm=discriminator.norm or generator.norm)
        for name, judge in build_discriminators(inputs, own, bool(losses.adversarial), list(losses.details)).items():
            self.add_module(name, judge)
        if compile:
            for network in self.networks.values():
                network.compile()

    def forward(
        self,
        conditioning: Tensor,
        base: Tensor | None = None,
        references: References | None = None,
        actor: Tensor | None = None,
    ) -> Tensor:
        """Synthesise frames, as ``Generator.forward``."""
        frame: Tensor = self.generator(conditioning, base, references, actor)
        return frame

    def configure_optimizers(self) -> Adam:
        groups = [{"params": network.parameters(), "name": name} for name, network in self.networks.items()]
        return Adam(groups, lr=self.optimizer.learning_rate, betas=(self.optimizer.beta1, 0.999), fused=True)

    def setup(self, stage: str) -> None:
        """Build what only training needs."""
        if stage != "fit":
            return
        if self.base is not None and self.generator.head != "tanh" and not self.generator.mean_frame.any():
            base = self.base()
            self.generator.set_base(base.mean(0) if base.dim() == 4 else base)
        if self.key_frames is not None and self.inputs.references:
            self.generator.key_frames = self.key_frames()[0]  # for videos of the first actor during the training
        if self.generator.texture is not None:
            self.generator.texture.set_actors(self.actors)
        if self.losses.perceives:
            self._lpips = Lpips(self.losses.lpips_backbone)

    @property
    def is_logged(self) -> bool:
        """True if loggers write down the values of the last batch, by ``trainer.log_every_n_steps``; 0 stands for never.

        Between those batches nothing is handed to Lightning: ``log`` takes a millisecond a value.
        """
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every > 0 and self.batch_step % every == 0

    def training_step(self, batch: Window, batch_idx: int) -> dict[str, Tensor]:
        """Train on a batch.

        Returns:
            Outputs for callbacks, from the batch's last part: ``real`` and ``fake`` frames (B, 3, H, W), and the
            discriminator's ``logits_real`` and ``logits_fake`` if there is one.
        """
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        optimizer.zero_grad()
        self._statistics.remember()
        logged: dict[str, Tensor | float] = defaultdict(float)
        parts = batch.split(self.optimizer.micro_batches)
        for number, part in enumerate(parts, start=1):
            share = len(part.frame) / len(batch.frame)
            fake = self.forward(part.conditioning, part.base, part.references, part.actor)
            terms = self.terms(part, fake)
            # One backward pass for all networks: DDP waits in every pass for the gradients of all its parameters, so a pass over
            # one network alone would need find_unused_parameters, toggled or not. Each loss reaches its own network only.
            with nullcontext() if number == len(parts) else self._without_exchange():
                self.manual_backward(share * total(terms))
            for name, (_, loss) in terms.items():
                logged[f"loss/{name}"] += share * loss.detach()
        self._step(optimizer, logged)
        self.batch_step += 1
        if self.skipped.is_due:
            self._check_skipped()
        if self.is_logged:
            self.log_dict({**logged, "batch_step": float(self.batch_step)})
        return {"real": part.frame, "fake": fake.detach(), **self._logits}

    def validation_step(self, batch: Window, batch_idx: int) -> Tensor:
        """Return the generated frames, which callbacks receive as ``outputs`` and compare with ``batch.frame``."""
        return self.forward(batch.conditioning, batch.base, batch.references, batch.actor)

    test_step = validation_step

    def on_train_start(self) -> None:
        self._statistics = NormStatistics(self.networks.values())

    def on_train_end(self) -> None:
        self._check_skipped()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._check_skipped()
        checkpoint["batch_step"] = self.batch_step
        checkpoint["skipped"] = self.skipped.in_a_row

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.batch_step = checkpoint["batch_step"]
        self.skipped.in_a_row = checkpoint.get("skipped", 0)

    def terms(self, batch: Window, fake: Tensor) -> Terms:
        """Return every loss of all networks that has a weight, for generated frames (B, 3, H, W) in [-1, 1]."""
        terms: Terms = {}
        if self.discriminators:
            terms, self._logits = adversarial_terms(self.losses, self.inputs, batch, fake, self.discriminators)
        return terms | reconstruction_terms(self.losses, batch, fake, self._lpips)

    def _step(self, optimizer: LightningOptimizer, logged: dict[str, Tensor | float]) -> None:
        """Take the step, unless gradients are not finite: then no weight, moment or statistic changes.

        All networks wait for each other: a gradient of one that is not finite skips the step of all.
        """
        if self._scaler is not None:
            self._scaler.unscale_(optimizer.optimizer)
        lengths = clip_gradients(self.networks, self.optimizer.clip_norm)
        logged |= {f"gradient/{name}": length for name, length in lengths.items()}
        skipped = ~torch.stack(list(lengths.values())).isfinite().all()
        if self._scaler is None:  # a scaler hands the optimizer its own, and lowers its scale
            optimizer.optimizer.found_inf = skipped.float()  # type: ignore[attr-defined]  # read by fused optimizers
        optimizer.step()
        self._statistics.restore_where(skipped)
        self.skipped.add(self.batch_step + 1, skipped)

    @property
    def _scaler(self) -> GradScaler | None:
        """Scaler of half precision, None in others."""
        return getattr(self.trainer.precision_plugin, "scaler", None)

    def _check_skipped(self) -> None:
        """Warn of skipped batches, and refuse more of them in a row than allowed."""
        self.skipped.check(allowed=1 if self._scaler is None else OVERFLOWS, warns=self._scaler is None)

    @property
    def discriminators(self) -> dict[str, PatchDiscriminator]:
        """The networks that the generator is trained against, by name."""
        return {name: network for name, network in self.named_children() if isinstance(network, PatchDiscriminator)}

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks that are trained, by name."""
        return {"generator": self.generator, **self.discriminators}

    def _without_exchange(self) -> AbstractContextManager[None]:
        """Keep gradients in this process: only the last part of a batch sends the sum of all."""
        model = self.trainer.strategy.model
        return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()
