"""The rendering-to-video network: a window of conditioning images to one frame (Deep Video Portraits, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from lit_reenact.core.schema import CONDITIONING, ConditioningImage, conditioning_channels, parse_conditioning
from lit_reenact.networks.blocks import DownStep, Norm, Refinement, UpConvolution, initialize
from lit_reenact.networks.windows import Placement, WindowShape

Head = Literal["residual", "tanh"]

DROPOUT_SIZE = 8
"""Dropout acts in the up-steps that make maps of at most this many pixels a side."""

MEAN_LIMIT = 0.98
"""The mean frame is clamped to this magnitude, where tanh still has 4 % of its slope left to learn with."""


class Generator(nn.Module):
    """A U-Net over the stacked conditioning images of a window.

    ``levels`` stride-2 steps go down, as many go up. An up-step is an up-convolution and two refinements, the last of which
    makes the frame; the encoder's map of the same resolution joins it through a skip connection. A map of 1x1 is not
    normalised: it has no spread within an image, and none at all in a batch of one.

    Args:
        window: number of frames in a window, N_w of the paper.
        image_size: side of the square images in pixels; a multiple of ``2 ** levels``.
        channels: of the first level, at half the image's resolution; each further level doubles them up to ``max_channels``, and
            the last up-step, at the full resolution, has half of them.
        levels: number of down-steps; 8 in the paper.
        norm: ``batch`` (the paper), ``instance`` or ``none``.
        dropout: probability, in the deep up-steps.
        head: ``tanh`` (the paper), or ``residual``: ``tanh(network + atanh(mean_frame))``, which starts from the mean
            training frame instead of from noise, so that a static background need not be learned. The network then sees the mean
            frame beside the window: what is to be changed depends on what is there, above all where augmentation moved it.
        placement, stride: which frames its windows show (``WindowShape``); it keeps them for those who make its input.
        conditioning: names of the images of each frame, in their order; it keeps them likewise.
    """

    mean_frame: Tensor  # (3, H, W) in [-1, 1]; zeros until it is set

    def __init__(
        self,
        window: int = 11,
        image_size: int = 256,
        channels: int = 64,
        levels: int = 8,
        max_channels: int = 512,
        norm: Norm = "batch",
        dropout: float = 0.5,
        head: Head = "residual",
        placement: Placement = "causal",
        stride: int = 1,
        conditioning: Sequence[ConditioningImage] = CONDITIONING,
    ) -> None:
        super().__init__()
        if levels < 1 or image_size % 2**levels:
            raise ValueError(f"image_size {image_size} is not a multiple of 2 ** levels = {2**levels}: lower levels ({levels})")
        if head not in get_args(Head):
            raise ValueError(f"head is {head!r}, but must be one of {get_args(Head)}")
        self.shape = WindowShape(window, placement, stride)
        self.conditioning = parse_conditioning(conditioning)
        self.image_size = image_size
        self.head = head
        widths = [min(channels * 2**level, max_channels) for level in range(levels)]  # of the encoder, finest first
        sizes = [image_size // 2 ** (level + 1) for level in range(levels)]
        norms: list[Norm] = [norm if size > 1 else "none" for size in sizes]

        inputs = [conditioning_channels(conditioning) * window, *widths]
        self.down = nn.ModuleList(DownStep(a, b, n) for a, b, n in zip(inputs, widths, norms, strict=False))

        self.up = nn.ModuleList()
        features = widths[-1]
        for width, size in zip(widths[-2::-1], sizes[-2::-1], strict=True):
            up = UpConvolution(features, width, norm, dropout if size <= DROPOUT_SIZE else 0.0)
            self.up.append(nn.Sequential(up, Refinement(width, norm), Refinement(width, norm)))
            features = 2 * width  # beside the encoder's map
        width = channels // 2
        self.last_up = nn.Sequential(UpConvolution(features, width, norm), Refinement(width, norm))
        self.to_frame = nn.Conv2d(width, 3, kernel_size=3, padding=1)

        self.apply(initialize)
        if head == "residual":
            self.from_base = nn.Conv2d(3, widths[0], kernel_size=4, stride=2, padding=1, bias=False)
            initialize(self.from_base)
            self.register_buffer("mean_frame", torch.zeros(3, image_size, image_size))
            nn.init.normal_(self.to_frame.weight, 0.0, 1e-4)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, conditioning: Tensor, base: Tensor | None = None) -> Tensor:
        """Synthesise frames.

        Args:
            conditioning: (B, 3 * images * window, H, W) in [-1, 1].
            base: (B, 3, H, W) in [-1, 1], what a residual head starts from in place of its mean frame, where that is another
                actor's, or moved by augmentation.

        Returns:
            float32 (B, 3, H, W) in (-1, 1).
        """
        start = None if self.head == "tanh" else self.mean_frame[None] if base is None else base
        features = self._first_step(conditioning, start)
        skips = [features]
        for down in list(self.down)[1:]:
            features = down(features)
            skips.append(features)
        features = skips.pop()
        for up in self.up:
            features = torch.cat([up(features), skips.pop()], dim=1)
        frame: Tensor = self.to_frame(self.last_up(features)).float()
        if start is not None:
            frame = frame + start.clamp(-MEAN_LIMIT, MEAN_LIMIT).atanh()
        return frame.tanh()

    def _first_step(self, conditioning: Tensor, start: Tensor | None) -> Tensor:
        """Of the window and what a residual head starts from: a convolution over both is the sum of one over each."""
        layers = list(self.down[0].children())
        kind = self.to_frame.weight.dtype
        features: Tensor = layers[0](conditioning.contiguous(memory_format=torch.channels_last).to(kind))
        if start is not None:
            features = features + self.from_base(start.to(kind))
        for layer in layers[1:]:
            features = layer(features)
        return features

    def to_bfloat16(self) -> None:
        """Weights and maps in bfloat16, for synthesis alone; the mean frame keeps its precision."""
        for network in self.children():
            network.bfloat16()

    def set_mean_frame(self, mean_frame: Tensor) -> None:
        """Start from this frame (3, H, W) in [-1, 1], the mean of the training frames; only for the residual head."""
        self.mean_frame.copy_(mean_frame)
