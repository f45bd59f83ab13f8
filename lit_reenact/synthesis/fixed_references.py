"""A blend generator with the key frames of one person inside, as it is exported."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lit_reenact.core.schema import KeyFrames, ReferenceMaps, References
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.references import place_references, prepare_key_frames

NOISE_MAPS = 8
"""Side in pixels of maps of noise: their flow is as smooth as that of a turned head."""

NOISE_FLOW = 0.1
"""Standard deviation of the flow of noise, as a share of the image's side: some places lie outside of the image."""


class FixedReferences(nn.Module):
    """A blend generator that takes tensors alone: its key frames are fixed, and all of them are present.

    Args:
        generator: network with a ``blend`` head.
        key_frames: its reference frames.
    """

    images: Tensor  # (1, K, 3, r, r)

    def __init__(self, generator: Generator, key_frames: KeyFrames) -> None:
        super().__init__()
        self.generator = generator
        self.register_buffer("images", prepare_key_frames(key_frames.images, generator.image_size)[None])
        self.eval()

    def forward(self, conditioning: Tensor, grid: Tensor, validity: Tensor) -> Tensor:
        """Generate frames, float32 (B, 3, H, W) in [-1, 1].

        Args:
            conditioning: windows (B, C, H, W) in [-1, 1].
            grid: (B, 2 K, H, W), by the rules of ``References``.
            validity: (B, 4 K, H, W) in [0, 1], by the same rules.
        """
        samples = conditioning.shape[0]  # len() would fix the number in an exported network
        actor, present = torch.zeros(samples, dtype=torch.int64), torch.ones(samples, self.images.shape[1])
        frames: Tensor = self.generator(conditioning, None, References(self.images, actor, grid, validity, present))
        return frames


def noise_places(samples: int, count: int, size: int) -> tuple[Tensor, Tensor]:
    """Return grid and validity of noise for K key frames, smooth as real ones."""
    flow = NOISE_FLOW * torch.randn(samples, count, 2, NOISE_MAPS, NOISE_MAPS)
    validity = torch.rand(samples, count, 4, NOISE_MAPS, NOISE_MAPS)
    images, present = torch.empty(0), torch.ones(samples, count)  # not looked at
    placed = place_references(images, torch.zeros(samples, dtype=torch.int64), ReferenceMaps(flow, validity), present, size)
    return placed.grid, placed.validity
