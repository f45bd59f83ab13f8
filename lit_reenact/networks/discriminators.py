"""The discriminators of a training: of whole frames, at one or two scales, and of what people look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from lit_reenact.core.crops import cut_boxes, region_boxes
from lit_reenact.core.schema import EYES, MOUTH, Window, conditioning_channels
from lit_reenact.networks.discriminator import PatchDiscriminator, refuse_too_many_layers
from lit_reenact.networks.settings import DiscriminatorSettings, InputSettings

SCALES = ("discriminator", "half_discriminator")
"""Names of the discriminators of whole frames, the finest first."""

DETAILS = ("mouth", "eyes")
"""Parts of a face that may have a discriminator of their own, named ``PART_discriminator``."""

SMALLEST_CROP = 32
"""Smallest side in pixels of a crop; otherwise it is a quarter of the frame's."""

DETAIL_LAYERS = 2
"""Stride-2 convolutions of the discriminator of a crop: a logit judges a patch of 34x34 pixels."""


class View(NamedTuple):
    """Part of a batch of B windows that a discriminator judges.

    Attributes:
        conditioning: (N, C, h, w) conditioning of N parts, one or more for each window.
        cut: function from frames (B, 3, H, W) to the parts (N, 3, h, w) that belong to them, through which gradients pass.
        counts: bool (N,), False for parts that are not shown; None if all are.
    """

    conditioning: Tensor
    cut: Callable[[Tensor], Tensor]
    counts: Tensor | None


def build_discriminators(
    inputs: InputSettings, settings: DiscriminatorSettings, whole: bool, details: list[str]
) -> dict[str, PatchDiscriminator]:
    """Build discriminators by name.

    All but the first see the conditioning of the current frame alone: the other frames of a window would cost more than the rest.
    Those of details are normalised by their weights (``spectral``), not by their batch, in which crops may be that show nothing.

    Args:
        inputs: images and frames that the networks see.
        settings: size and layers.
        whole: whether to judge whole frames, at as many scales as ``settings`` say.
        details: names of parts to judge, out of ``DETAILS``.

    Raises:
        ReenactError: the discriminator has too many layers for the size of the images.
    """
    networks, channels = {}, conditioning_channels(inputs.conditioning)
    if whole:
        refuse_too_many_layers(settings, inputs.image_size)
        seen = (inputs.channels, channels)[: settings.scales]
        networks = {name: PatchDiscriminator(of, settings) for name, of in zip(SCALES, seen, strict=False)}
    small = DiscriminatorSettings(settings.channels, DETAIL_LAYERS, norm="spectral")
    return networks | {f"{part}_discriminator": PatchDiscriminator(channels, small) for part in details}


def view(name: str, inputs: InputSettings, batch: Window) -> View:
    """Return what the discriminator of a name judges of a batch."""
    if name == "discriminator":
        return View(batch.conditioning, lambda frames: frames, None)
    channels, current = conditioning_channels(inputs.conditioning), inputs.shape.current
    conditioning = batch.conditioning[:, current * channels : (current + 1) * channels]
    if name == "half_discriminator":
        return View(avg_pool2d(conditioning, 2), lambda frames: avg_pool2d(frames, 2), None)
    regions = eyes(batch.region == EYES) if name == "eyes_discriminator" else [batch.region == MOUTH]
    boxes = [region_boxes(region) for region in regions]
    size = max(batch.frame.shape[-1] // 4, SMALLEST_CROP)

    def cut(images: Tensor) -> Tensor:
        return torch.cat([cut_boxes(images, box, size) for box in boxes])

    return View(cut(conditioning), cut, torch.cat(boxes).isfinite().all(1))


def eyes(region: Tensor) -> list[Tensor]:
    """Divide the regions of both eyes, bool (B, H, W), into the eye at the left and the one at the right of the image.

    They are divided at the middle of their columns: both eyes are about equally wide, unless one of them is hidden, and then
    each half of the other counts as one.
    """
    middle = region_boxes(region)[:, 0, None, None]  # NaN, which nothing is left of, where there are none
    columns = torch.arange(region.shape[2], device=region.device) + 0.5
    return [region & (columns < middle), region & (columns >= middle)]
