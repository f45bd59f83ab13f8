"""Generator that moves pixels of reference frames to their places, and paints what they do not show."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lit_reenact.core.schema import References
from lit_reenact.networks.blocks import initialize
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.references import VALIDITY, sample_references
from lit_reenact.networks.settings import GeneratorSettings, InputSettings

BLEND_CHANNELS = 32
"""Feature maps at the full resolution from which masks and painted pixels are read."""

SHIFT = 0.03
"""Unit of the learned shift of pixels, as a share of the image's side: about what a mesh misses of hair and torso."""

ABSENT = -20.0
"""Logit that takes a reference from the masks: everywhere if it is left out, and where it cannot show what is wanted."""


class Blend(NamedTuple):
    """Generated frames, and the origin of their pixels.

    Attributes:
        frame: float32 (B, 3, H, W) in [-1, 1].
        shares: float32 (B, K + 3, H, W), shares of every pixel that come from each of the K references, from the mean frame, from
            the background plate (0 without one), and from painting; their sum is 1.
    """

    frame: Tensor
    shares: Tensor


class BlendGenerator(Generator):
    """U-Net over conditioning and reference frames, whose frame is a soft blend of moved and painted pixels.

    The face mesh says where each pixel lies in each reference (``References.grid``). The U-Net sees the references at these
    places and corrects the places: hair, torso and lips do not follow the mesh exactly. At the full resolution, two convolutions
    over features, corrected references, mean frame and neural texture then give painted pixels and a mask for each source of
    pixels.

    Args:
        inputs: images and frames that the network sees; ``references`` is 1 or more.
        settings: size and layers; ``head`` is ``blend``.

    Raises:
        ValueError: for the reasons of ``Generator``.

    Example:
        >>> inputs = InputSettings(image_size=64, window=3, references=2)
        >>> generator = BlendGenerator(inputs, GeneratorSettings(channels=8, levels=4, head="blend"))
        >>> frame, shares = generator.blend(conditioning, None, references)
    """

    plate: Tensor | None  # (3, H, W) in [-1, 1]; zeros until it is set

    def __init__(self, inputs: InputSettings, settings: GeneratorSettings = GeneratorSettings(head="blend")) -> None:
        self.references = inputs.references
        super().__init__(inputs, settings)

    def _build_base(self, widths: list[int], inputs: InputSettings, settings: GeneratorSettings) -> None:
        count = inputs.references
        seen = inputs.base_channels + (3 + VALIDITY) * count + settings.texture_channels
        self.from_base = nn.Conv2d(seen, widths[0], kernel_size=4, stride=2, padding=1, bias=False)
        half = widths[0] * (1 if settings.levels == 1 else 2)  # beside the encoder's map
        self.to_shift = nn.Conv2d(half, 2 * count, kernel_size=3, padding=1)
        self.to_frame = nn.Sequential(  # type: ignore[assignment]  # masks beside the frame
            nn.Conv2d(settings.channels // 2 + seen, BLEND_CHANNELS, kernel_size=3, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(BLEND_CHANNELS, 3 + count + inputs.base_channels // 3 + 1, kernel_size=3, padding=1),
        )
        for part in (self.from_base, self.to_frame):
            part.apply(initialize)
        nn.init.zeros_(self.to_shift.weight)
        self.register_buffer("mean_frame", torch.zeros(3, self.image_size, self.image_size))
        self.register_buffer("plate", torch.zeros_like(self.mean_frame) if inputs.plate else None)

    def forward(
        self,
        conditioning: Tensor,
        base: Tensor | None = None,
        references: References | None = None,
        actor: Tensor | None = None,
    ) -> Tensor:
        """Synthesise frames, float32 (B, 3, H, W) in [-1, 1], by the rules of ``Generator.forward``.

        Raises:
            ValueError: there are no references.
        """
        if references is None:
            raise ValueError("a blend head needs reference frames")
        return self.blend(conditioning, base, references, actor).frame

    def blend(self, conditioning: Tensor, base: Tensor | None, references: References, actor: Tensor | None = None) -> Blend:
        """Synthesise frames, and say where their pixels come from.

        Args:
            conditioning: (B, 3 * images * window, H, W) in [-1, 1].
            base: (B, 3, H, W) in [-1, 1] mean frame of each sample's clip, or (B, 6, H, W) with its background plate; None for
                the network's own.
            references: key frames and the places of the B frames' pixels in them.
            actor: int64 (B,) person of each window, whose texture is shown; None for ``actor`` of this network.
        """
        samples = conditioning.shape[0]  # len() would fix the number in an exported network
        background = (self._own_base()[None] if base is None else base).expand(samples, -1, -1, -1)
        texture = self._show_texture(conditioning, actor)
        before = self._gather(sample_references(references), background, references, texture)
        half = self._decode_to_half(self._encode(conditioning, before))
        shift = interpolate(self.to_shift(half).float(), scale_factor=2.0, mode="bilinear", align_corners=False)
        moved = sample_references(references, shift * SHIFT)
        after = self._gather(moved, background, references, texture)
        features = self.last_up(half)
        output = self.to_frame(torch.cat([features, after.to(features.dtype)], dim=1)).float()
        painted, logits = output[:, :3].tanh(), output[:, 3:]
        shares = (logits + ABSENT * self._missing(references, logits.shape[1])).softmax(1)
        still = background.chunk(background.shape[1] // 3, 1)
        sources = torch.cat([moved, torch.stack([*still, painted], 1)], 1)  # (B, sources, 3, H, W)
        frame = (shares[:, :, None] * sources).sum(1)
        if self.plate is None:
            shares = torch.cat([shares[:, :-1], torch.zeros_like(shares[:, :1]), shares[:, -1:]], 1)
        return Blend(frame, shares)

    def set_base(self, base: Tensor) -> None:
        """Take pixels from the mean of the training frames, and from the plate if there is one: (3 or 6, H, W) in [-1, 1]."""
        self.mean_frame.copy_(base[:3])
        if self.plate is not None:
            self.plate.copy_(base[3:])

    def _missing(self, references: References, sources: int) -> Tensor:
        """Return 1 where a source of pixels cannot show what is wanted: (B, sources, H, W); painting always can.

        An eye or a mouth that is open too wide for every key frame is not in the mean frame either. Training leaves the mean
        frame in: where augmentation hides a shut mouth, it may well show one.
        """
        unseen = references.validity[:, VALIDITY - 1 :: VALIDITY]
        missing = torch.maximum(1 - references.present[:, :, None, None], unseen)
        nowhere = missing.amin(1, keepdim=True) * unseen.amax(1, keepdim=True) * (not self.training)
        still = sources - self.references - 1
        return torch.cat([missing, nowhere.expand(-1, still, -1, -1), torch.zeros_like(nowhere)], 1)

    def _own_base(self) -> Tensor:
        return self.mean_frame if self.plate is None else torch.cat([self.mean_frame, self.plate])

    def _gather(self, sampled: Tensor, background: Tensor, references: References, texture: list[Tensor]) -> Tensor:
        """Return all that the network sees beside its window: (B, 3 + 7 K + C, H, W), 3 more with a plate."""
        present = references.present.repeat_interleave(VALIDITY, dim=1)[:, :, None, None]
        seen = torch.cat([background, sampled.flatten(1, 2), references.validity * present, *texture], dim=1)
        return seen.contiguous(memory_format=torch.channels_last)


def make_generator(inputs: InputSettings, settings: GeneratorSettings) -> Generator:
    """Return the generator of the settings' head."""
    return (BlendGenerator if settings.head == "blend" else Generator)(inputs, settings)
