"""Building blocks of the generator and the discriminator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from torch import nn

Norm = Literal["batch", "instance", "none"]


def normalization(kind: Norm, channels: int) -> nn.Module:
    """Return a normalisation layer for ``channels`` feature maps; ``none`` is the identity.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in get_args(Norm):
        raise ValueError(f"norm is {kind!r}, but must be one of {get_args(Norm)}")
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity()


class DownStep(nn.Sequential):
    """Step to half the resolution: 4x4 convolution of stride 2, normalisation, LeakyReLU: (B, C, H, W) to (B, C', H/2, W/2)."""

    def __init__(self, in_channels: int, out_channels: int, norm: Norm) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=4, stride=2, padding=1, bias=norm == "none"),
            normalization(norm, out_channels),
            nn.LeakyReLU(0.2, inplace=True),
        )


class UpConvolution(nn.Sequential):
    """Step to twice the resolution: 4x4 up-convolution, normalisation, dropout, ReLU: (B, C, H, W) to (B, C', 2H, 2W)."""

    def __init__(self, in_channels: int, out_channels: int, norm: Norm, dropout: float = 0.0) -> None:
        super().__init__(
            nn.ConvTranspose2d(in_channels, out_channels, kernel_size=4, stride=2, padding=1, bias=norm == "none"),
            normalization(norm, out_channels),
            nn.Dropout(dropout),
            nn.ReLU(inplace=True),
        )


class Refinement(nn.Sequential):
    """Step at one resolution: 3x3 convolution, normalisation, ReLU: (B, C, H, W) to (B, C, H, W)."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=norm == "none"),
            normalization(norm, channels),
            nn.ReLU(inplace=True),
        )


def initialize(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02) as in the paper, scales of normalisations from N(1, 0.02); set biases to 0.

    Use with ``Module.apply``.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Compute no gradients by the network's weights inside the block, only by its inputs."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
