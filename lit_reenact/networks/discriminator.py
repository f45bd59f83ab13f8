"""The conditional PatchGAN: which patches of a frame look real, given the conditioning images of its window."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from lit_reenact.core.errors import ReenactError
from lit_reenact.networks.blocks import DownStep, Norm, initialize, normalization
from lit_reenact.networks.settings import DiscriminatorNorm, DiscriminatorSettings

SMALLEST_MAP = 3
"""Smallest side of the map, in pixels, before the two stride-1 convolutions; each of them shortens it by one pixel."""


class PatchDiscriminator(nn.Module):
    """Convolutions of stride 2, then two of stride 1 (Isola et al. 2017).

    The first convolution runs over the stacked window and frame, written as the sum of one over each: the same function,
    but the generator's gradient then passes through 3 channels instead of through all of them.

    Args:
        window_channels: number of channels of a stacked window.
        settings: size and layers; a ``norm`` of None is ``batch``.

    Raises:
        ValueError: ``settings.norm`` is unknown.

    Example:
        >>> discriminator = PatchDiscriminator(window_channels=27)
        >>> discriminator(torch.zeros(1, 27, 64, 64), torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 1, 6, 6])
    """

    def __init__(self, window_channels: int, settings: DiscriminatorSettings = DiscriminatorSettings()) -> None:
        super().__init__()
        norm = settings.norm or "batch"
        if norm not in get_args(DiscriminatorNorm):
            raise ValueError(f"model.discriminator.norm is {norm!r}, but must be one of {get_args(DiscriminatorNorm)}")
        channels = settings.channels
        self.from_conditioning = nn.Conv2d(window_channels, channels, kernel_size=4, stride=2, padding=1)
        self.from_frame = nn.Conv2d(3, channels, kernel_size=4, stride=2, padding=1, bias=False)
        widths = [channels * min(2**layer, 8) for layer in range(settings.layers + 1)]
        self.patches = _patches(widths, norm="none" if norm == "spectral" else norm)
        self.apply(initialize)
        if norm == "spectral":
            for convolution in [module for module in self.modules() if isinstance(module, nn.Conv2d)]:
                spectral_norm(convolution)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def compile(self) -> None:
        """Compile both parts in place, so that weights keep their names; a training calls them apart."""
        self.embed_conditioning = torch.compile(self.embed_conditioning)  # type: ignore[method-assign]
        self.features = torch.compile(self.features)  # type: ignore[method-assign]

    def forward(self, conditioning: Tensor, frame: Tensor) -> Tensor:
        """Judge the patches of frames.

        Args:
            conditioning: (B, window_channels, H, W) in [-1, 1], stacked windows.
            frame: (B, 3, H, W) in [-1, 1].

        Returns:
            float32 (B, 1, h, w) logits, positive where a patch looks real.
        """
        return self.logits(self.embed_conditioning(conditioning), frame)

    def embed_conditioning(self, conditioning: Tensor) -> Tensor:
        """Return the first convolution's maps of stacked windows, (B, C, H/2, W/2), to judge several frames against."""
        embedding: Tensor = self.from_conditioning(conditioning.contiguous(memory_format=torch.channels_last))
        return embedding

    def logits(self, embedding: Tensor, frame: Tensor) -> Tensor:
        """Return the logits (B, 1, h, w) of frames (B, 3, H, W) against windows from ``embed_conditioning``."""
        return self.features(embedding, frame)[-1]

    def features(self, embedding: Tensor, frame: Tensor) -> list[Tensor]:
        """Return the feature maps of every layer, finest first, and at last the logits."""
        features, maps = [], embedding + self.from_frame(frame)
        for layer in self.patches:
            maps = layer(maps)
            if isinstance(layer, DownStep | nn.LeakyReLU):
                features.append(maps)
        return [*features, maps.float()]


def refuse_too_many_layers(settings: DiscriminatorSettings, image_size: int) -> None:
    """Refuse stride-2 convolutions that leave less of an image, at its smallest scale, than the others need.

    Args:
        settings: layers and scales of the discriminator.
        image_size: side of the square images in pixels.

    Raises:
        ReenactError: less than ``SMALLEST_MAP`` pixels a side are left.
    """
    if image_size // settings.scales // 2**settings.layers < SMALLEST_MAP:
        halves = " at model.discriminator.scales=2, whose second scale has half of it" if settings.scales == 2 else ""
        raise ReenactError(
            f"model.discriminator.layers is {settings.layers}, too many for a model.inputs.image_size of {image_size}{halves}: "
            f"of the picture {SMALLEST_MAP} pixels a side must be left, and each layer halves it"
        )


def _patches(widths: list[int], norm: Norm) -> nn.Sequential:
    """Build the layers after the first convolution, which has ``widths[0]`` channels."""
    return nn.Sequential(
        nn.LeakyReLU(0.2, inplace=True),
        *(DownStep(before, after, norm) for before, after in pairwise(widths[:-1])),
        nn.Conv2d(widths[-2], widths[-1], kernel_size=4, padding=1, bias=norm == "none"),
        normalization(norm, widths[-1]),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(widths[-1], 1, kernel_size=4, padding=1),
    )
