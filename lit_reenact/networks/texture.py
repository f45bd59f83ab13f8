"""Neural texture: features that are learned at every place of a head, and shown where a frame shows the place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, max_pool2d

from lit_reenact.core.schema import conditioning_channels
from lit_reenact.networks.settings import GeneratorSettings, InputSettings

TEXELS = 128
"""Texels along each side. The face takes four fifths of them: about as many as it has pixels in a frame of 256."""

VIEWS = ((0, 1), (2, 1))
"""Axes of the correspondence image that span each plane: the head from the front, and from the side. The first tells apart
whatever the front shows, the second what lies one behind the other, such as lips and teeth."""

GAIN = 10.0
"""Factor between the weights and the texture, which therefore learns this much faster than the network: Adam's steps are as long
as the learning rate, but features must become as large as the other inputs, which lie in [-1, 1]."""

MIXED = 0.08
"""Step of the correspondence image, in [0, 1], to a brighter pixel beside it from which on a pixel is taken for a mixture of head
and black background, whose colour is no place on the head. On a surface the image changes more slowly."""


class NeuralTexture(nn.Module):
    """Learned features on the surface of each person's head, seen through the correspondence image (Thies et al. 2019).

    The colours of that image are places in the head's box, not on a texture square. A feature is therefore the sum of two
    planes' features, bilinear between texels: the place seen from the front, and from the side (as in the three planes of
    Chan et al. 2022). It is 0 where no head is seen, at its silhouette, and at every place that training never showed.

    Args:
        inputs: images and frames that the network sees; ``correspondence`` is among them.
        channels: number of features, C.

    Attributes:
        planes: (A, 2 C, S, S) front and side of each of A persons, ``GAIN`` times smaller than the texture. A checkpoint decides
            how many persons there are.

    Example:
        >>> texture = NeuralTexture(InputSettings(window=3), channels=16)
        >>> texture(conditioning, actor=0)  # (B, 16, H, W)
    """

    def __init__(self, inputs: InputSettings, channels: int) -> None:
        super().__init__()
        frame = inputs.shape.current * conditioning_channels(inputs.conditioning)
        first = frame + conditioning_channels(inputs.conditioning[: inputs.conditioning.index("correspondence")])
        self.shown = slice(first, first + 3)  # channels of the current frame's correspondence image
        self.planes = nn.Parameter(torch.zeros(1, len(VIEWS) * channels, TEXELS, TEXELS))

    def __len__(self) -> int:
        """Number of persons."""
        return len(self.planes)

    def forward(self, conditioning: Tensor, actor: Tensor | int) -> Tensor:
        """Return the features of the current frame's pixels: float32 (B, C, H, W).

        Args:
            conditioning: windows (B, 3 * images * window, H, W) in [-1, 1].
            actor: person of each window, int64 (B,), or of all.
        """
        places = conditioning[:, self.shown].float()
        views = torch.stack([places[:, axes] for axes in VIEWS]).permute(0, 1, 3, 4, 2)  # (2, B, H, W, 2)
        one = 0 if len(self) == 1 else actor
        planes = self.planes[one : one + 1] if isinstance(one, int) else self.planes[one]
        return GAIN * find_surface(places) * _sample(planes.float(), views)

    @torch.no_grad()
    def set_actors(self, count: int) -> None:
        """Make room for ``count`` persons, who all start from the mean of those that there are."""
        if count != len(self):
            self.planes = nn.Parameter(self.planes.mean(0, keepdim=True).repeat(count, 1, 1, 1))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        saved = state_dict.get(f"{prefix}planes")
        if saved is not None and len(saved) != len(self):
            self.set_actors(len(saved))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def make_texture(inputs: InputSettings, settings: GeneratorSettings) -> NeuralTexture | None:
    """Return the texture of a generator; None if it has none.

    Raises:
        ValueError: a ``tanh`` head, or conditioning without the correspondence image, is to have a texture.
    """
    channels = settings.texture_channels
    if not channels:
        return None
    if settings.head == "tanh":
        raise ValueError(f"model.generator.texture_channels is {channels}, but a tanh head has no texture: set it to 0")
    if "correspondence" not in inputs.conditioning:
        raise ValueError(
            f"model.generator.texture_channels is {channels}, but a texture is seen through the correspondence image, which "
            f"model.inputs.conditioning ({', '.join(inputs.conditioning)}) lacks: add it, or set texture_channels to 0"
        )
    return NeuralTexture(inputs, channels)


def find_surface(places: Tensor) -> Tensor:
    """Return 1 where a pixel shows one place of the head, else 0: float32 (B, 1, H, W).

    Args:
        places: correspondence images (B, 3, H, W) in [-1, 1]; the background is black, and pixels of an edge, above all of images
            that augmentation has moved, are darker than those beside them.
    """
    brightness = places.amax(1, keepdim=True)
    step = max_pool2d(brightness, kernel_size=3, stride=1, padding=1) - brightness
    return ((step < 2 * MIXED) & (brightness > 1 / 255 - 1)).float()


def _sample(planes: Tensor, views: Tensor) -> Tensor:
    """Sample planes (A, 2 C, S, S), of each sample or of all, at places (2, B, H, W, 2) in [-1, 1]: (B, C, H, W)."""
    count, channels, height, width = len(planes), planes.shape[1] // len(VIEWS), *views.shape[2:4]
    tall = views.reshape(len(VIEWS), count, -1, width, 2).transpose(0, 1).flatten(0, 1)  # (A * 2, B / A * H, W, 2)
    flat = planes.reshape(count * len(VIEWS), channels, TEXELS, TEXELS)
    sampled = grid_sample(flat, tall, padding_mode="border", align_corners=False)
    each = sampled.view(count, len(VIEWS), channels, -1, height, width)  # of B / A samples
    return each.sum(1).transpose(1, 2).flatten(0, 1)
