"""The rendering-to-video network: a window of conditioning images to one frame (Deep Video Portraits, section 5)."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import torch
from torch import Tensor, nn

from lit_reenact.core.schema import KeyFrames, References
from lit_reenact.networks.blocks import DownStep, Norm, Refinement, UpConvolution, initialize
from lit_reenact.networks.settings import GeneratorSettings, Head, InputSettings
from lit_reenact.networks.texture import make_texture

DROPOUT_SIZE = 8
"""Largest side, in pixels, of the maps that dropout acts on; they belong to the deepest up-steps."""

MEAN_LIMIT = 0.98
"""The mean frame is clamped to this magnitude, where tanh still has 4 % of its slope left to learn with."""


class Generator(nn.Module):
    """A U-Net over the stacked conditioning images of a window.

    Every level has a stride-2 down-step and an up-step. An up-step is an up-convolution and two refinements, the last of which
    makes the frame; the encoder's map of the same resolution joins it through a skip connection. A map of 1x1 is not
    normalised: it has no spread within an image, and none at all in a batch of one.

    The network of a residual head sees the mean frame beside the window: what is to be changed depends on what is there, above
    all where augmentation moved it.

    Args:
        inputs: images and frames that the network sees; ``image_size`` is a multiple of ``2 ** settings.levels``.
        settings: size and layers.

    Attributes:
        shape: frames of the windows that the network takes.
        conditioning: names of the images of each frame, in their order.
        image_size: side of the square images in pixels.
        head: ``residual`` or ``tanh``; ``blend`` in a ``BlendGenerator``.
        key_frames: reference frames of the person to be shown, set by whoever loads or trains the network; None without.
        texture: neural texture of each person; None without.
        actor: index of the person to be shown, set by whoever loads the network of several.

    Raises:
        ValueError: ``image_size`` is no such multiple, ``head`` or ``norm`` is unknown, there are reference frames without a
            ``blend`` head, or there cannot be a texture (``make_texture``).

    Example:
        >>> generator = Generator(InputSettings(image_size=64, window=3), GeneratorSettings(channels=8, levels=4))
        >>> generator(torch.zeros(1, 27, 64, 64)).shape
        torch.Size([1, 3, 64, 64])
    """

    key_frames: KeyFrames | None = None
    actor = 0
    mean_frame: Tensor  # (3, H, W) in [-1, 1]; zeros until it is set

    def __init__(
        self,
        inputs: InputSettings = InputSettings(),
        settings: GeneratorSettings = GeneratorSettings(),
    ) -> None:
        super().__init__()
        levels, size, head = settings.levels, inputs.image_size, settings.head
        if levels < 1 or size % 2**levels:
            raise ValueError(f"image_size {size} is not a multiple of 2 ** levels = {2**levels}: lower levels ({levels})")
        if head not in get_args(Head):
            raise ValueError(f"head is {head!r}, but must be one of {get_args(Head)}")
        if (head == "blend") != (inputs.references > 0):
            raise ValueError(
                f"model.generator.head is {head} and model.inputs.references is {inputs.references}, but only a blend head takes "
                "reference frames, and it needs one at least: change one of the two"
            )
        self.shape, self.conditioning, self.image_size, self.head = inputs.shape, inputs.conditioning, size, head
        widths = [min(settings.channels * 2**level, settings.max_channels) for level in range(levels)]  # finest first
        self._build_encoder(inputs.channels, widths, settings.norm)
        self._build_decoder(widths, settings)
        self.apply(initialize)
        self.texture = make_texture(inputs, settings)
        if head != "tanh":
            self._build_base(widths, inputs, settings)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _build_encoder(self, channels: int, widths: list[int], norm: Norm) -> None:
        sizes = [self.image_size // 2 ** (level + 1) for level in range(len(widths))]
        steps = zip(pairwise([channels, *widths]), sizes, strict=True)
        self.down = nn.ModuleList(DownStep(a, b, norm if size > 1 else "none") for (a, b), size in steps)

    def _build_decoder(self, widths: list[int], settings: GeneratorSettings) -> None:
        self.up = nn.ModuleList()
        norm, features = settings.norm, widths[-1]
        for level in reversed(range(len(widths) - 1)):
            width = widths[level]
            dropout = settings.dropout if self.image_size // 2 ** (level + 1) <= DROPOUT_SIZE else 0.0
            up = UpConvolution(features, width, norm, dropout)
            self.up.append(nn.Sequential(up, Refinement(width, norm), Refinement(width, norm)))
            features = 2 * width  # beside the encoder's map
        width = settings.channels // 2
        self.last_up = nn.Sequential(UpConvolution(features, width, norm), Refinement(width, norm))
        self.to_frame = nn.Conv2d(width, 3, kernel_size=3, padding=1)

    def _build_base(self, widths: list[int], inputs: InputSettings, settings: GeneratorSettings) -> None:
        seen = 3 + settings.texture_channels
        self.from_base = nn.Conv2d(seen, widths[0], kernel_size=4, stride=2, padding=1, bias=False)
        initialize(self.from_base)
        self.register_buffer("mean_frame", torch.zeros(3, self.image_size, self.image_size))
        nn.init.normal_(self.to_frame.weight, 0.0, 1e-4)

    def forward(
        self,
        conditioning: Tensor,
        base: Tensor | None = None,
        references: References | None = None,
        actor: Tensor | None = None,
    ) -> Tensor:
        """Synthesise frames.

        Args:
            conditioning: (B, 3 * images * window, H, W) in [-1, 1].
            base: (B, 3, H, W) in [-1, 1], what a residual head starts from in place of its mean frame, where that is another
                actor's, or moved by augmentation; for a blend head with the background plate, if it takes one: (B, 6, H, W).
            references: reference frames for a blend head; other heads take none.
            actor: int64 (B,) person of each window, whose texture is shown; None for ``actor`` of this network.

        Returns:
            float32 (B, 3, H, W) in (-1, 1).
        """
        start = self._start(base)
        texture = self._show_texture(conditioning, actor)
        maps = self._encode(conditioning, _beside(start, texture))
        features = self._decode(maps)
        return self._to_image(features, start)

    def _start(self, base: Tensor | None) -> Tensor | None:
        """Return the frames (B or 1, 3, H, W) that a residual head starts from; None for a plain one."""
        if self.head == "tanh":
            return None
        return self.mean_frame[None] if base is None else base

    def _show_texture(self, conditioning: Tensor, actor: Tensor | None) -> list[Tensor]:
        """Return the texture as the current frames show it, (B, C, H, W); none if there is no texture."""
        return [] if self.texture is None else [self.texture(conditioning, self.actor if actor is None else actor)]

    def _encode(self, conditioning: Tensor, seen: Tensor | None) -> list[Tensor]:
        """Return the maps of every level, finest first, from windows and what is seen beside them."""
        maps = [self._first_step(conditioning, seen)]
        for down in list(self.down)[1:]:
            maps.append(down(maps[-1]))
        return maps

    def _first_step(self, conditioning: Tensor, seen: Tensor | None) -> Tensor:
        """Return the first maps (B, C, H/2, W/2): a convolution over all inputs is the sum of one over each of the two."""
        convolution, *rest = self.down[0].children()
        dtype = next(self.parameters()).dtype
        features: Tensor = convolution(conditioning.contiguous(memory_format=torch.channels_last).to(dtype))
        if seen is not None:
            features = features + self.from_base(seen.to(dtype))
        for layer in rest:
            features = layer(features)
        return features

    def _decode(self, maps: list[Tensor]) -> Tensor:
        """Return features (B, channels / 2, H, W) from the maps of every level."""
        full: Tensor = self.last_up(self._decode_to_half(maps))
        return full

    def _decode_to_half(self, maps: list[Tensor]) -> Tensor:
        """Return features (B, C, H/2, W/2) from the maps of every level."""
        *skips, features = maps
        for up in self.up:
            features = torch.cat([up(features), skips.pop()], dim=1)
        return features

    def _to_image(self, features: Tensor, start: Tensor | None) -> Tensor:
        """Return float32 frames (B, 3, H, W) in (-1, 1)."""
        frame: Tensor = self.to_frame(features).float()
        if start is not None:
            frame = frame + start.clamp(-MEAN_LIMIT, MEAN_LIMIT).atanh()
        return frame.tanh()

    def to_bfloat16(self) -> None:
        """Turn weights and maps into bfloat16, for synthesis alone; the mean frame keeps its precision."""
        for network in self.children():
            network.bfloat16()

    def set_base(self, base: Tensor) -> None:
        """Start from the mean of the training frames, (3, H, W) in [-1, 1]; not for the tanh head."""
        self.mean_frame.copy_(base)


def _beside(start: Tensor | None, texture: list[Tensor]) -> Tensor | None:
    """Return frames (B or 1, 3, H, W) and texture (B, C, H, W) in one tensor."""
    if start is None or not texture:
        return start
    return torch.cat([start.expand(texture[0].shape[0], -1, -1, -1), *texture], dim=1)
