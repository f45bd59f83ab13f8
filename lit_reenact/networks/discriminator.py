"""The conditional PatchGAN: which patches of a frame look real, given the conditioning images of its window."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from lit_reenact.networks.blocks import DownStep, Norm, initialize, normalization

DiscriminatorNorm = Literal["batch", "instance", "none", "spectral"]

SMALLEST_MAP = 3
"""Pixels a side that stride-2 convolutions must leave for the two of stride 1, each of which takes one away."""


class PatchDiscriminator(nn.Module):
    """Convolutions of stride 2, then two of stride 1 (Isola et al. 2017; three layers see patches of 70x70 pixels).

    The first convolution runs over the stacked window and frame, written as the sum of one over each: the same function,
    but the generator's gradient then passes through 3 channels instead of through all of them.

    Args:
        in_channels: of the window and the frame together, 3 * images * window + 3.
        channels: of the first layer; each layer doubles them, up to 8 times.
        layers: number of stride-2 convolutions.
        norm: as in the generator, or ``spectral``: no layer can stretch its input (Miyato et al. 2018).
    """

    def __init__(self, in_channels: int, channels: int = 64, layers: int = 3, norm: DiscriminatorNorm = "batch") -> None:
        super().__init__()
        if norm not in get_args(DiscriminatorNorm):
            raise ValueError(f"discriminator_norm is {norm!r}, but must be one of {get_args(DiscriminatorNorm)}")
        of_maps: Norm = "none" if norm == "spectral" else norm
        self.from_conditioning = nn.Conv2d(in_channels - 3, channels, kernel_size=4, stride=2, padding=1)
        self.from_frame = nn.Conv2d(3, channels, kernel_size=4, stride=2, padding=1, bias=False)
        widths = [channels * min(2**layer, 8) for layer in range(layers + 1)]
        steps = [DownStep(a, b, of_maps) for a, b in pairwise(widths[:-1])]
        self.patches = nn.Sequential(
            nn.LeakyReLU(0.2, inplace=True),
            *steps,
            nn.Conv2d(widths[-2], widths[-1], kernel_size=4, padding=1, bias=of_maps == "none"),
            normalization(of_maps, widths[-1]),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(widths[-1], 1, kernel_size=4, padding=1),
        )
        self.apply(initialize)
        if norm == "spectral":
            for convolution in [module for module in self.modules() if isinstance(module, nn.Conv2d)]:
                spectral_norm(convolution)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, conditioning: Tensor, frame: Tensor) -> Tensor:
        """Window (B, C - 3, H, W) and frame (B, 3, H, W) to logits float32 (B, 1, h, w): positive where it looks real."""
        return self.judge(self.look(conditioning), frame)

    def look(self, conditioning: Tensor) -> Tensor:
        """What the first convolution makes of a window: (B, C, H/2, W/2), to judge several frames against."""
        seen: Tensor = self.from_conditioning(conditioning.contiguous(memory_format=torch.channels_last))
        return seen

    def judge(self, seen: Tensor, frame: Tensor) -> Tensor:
        """Logits of frames (B, 3, H, W) against windows that were looked at already; see ``forward``."""
        return self.features(seen, frame)[-1]

    def features(self, seen: Tensor, frame: Tensor) -> list[Tensor]:
        """The feature maps of every layer, finest first, and at last the logits of ``judge``."""
        features, last = [], seen + self.from_frame(frame)
        for layer in self.patches:
            last = layer(last)
            if isinstance(layer, DownStep | nn.LeakyReLU):
                features.append(last)
        return [*features, last.float()]
