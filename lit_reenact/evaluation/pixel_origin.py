"""Shares of held-out pixels that a blend generator takes from key frames, mean frame, plate and painting."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.core.schema import EMPTY, EYES, MOUTH
from lit_reenact.metrics.regions import region_mean
from lit_reenact.networks.blend_generator import BlendGenerator
from lit_reenact.networks.generator import Generator
from lit_reenact.synthesis.generated_frames import target_renderer
from lit_reenact.synthesis.pixel_origin import Colour, origin_colours, origin_picture, trace_pixels
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video.cuts import cuts_in

SAMPLE = 40
"""Largest number of frames that are measured: shares change slowly, and each of these frames is generated once more."""

PICTURES = 4
"""Number of frames with a picture of their pixels' origin."""

KINDS = ("key_frames", "mean_frame", "plate", "painted")
PLACES = ("", "face_", "eyes_", "mouth_")
PIXEL_ORIGINS = tuple(f"{place}{kind}" for kind in KINDS for place in PLACES)
"""Names of all shares: the source of the pixels, after the region unless that is the whole frame."""


@dataclass(frozen=True)
class PixelOrigin:
    """Origin of the pixels of held-out frames.

    Attributes:
        frames: number of frames that were measured.
        shares: name in ``PIXEL_ORIGINS`` to the share, in [0, 1], as its mean over these frames; NaN if none shows the region.
        colours: source of pixels to its colour in the pictures.
        shown: positions of P of these frames in the held-out part.
        pictures: uint8 (P, S, S, 3) pictures of the origin of their pixels.
    """

    frames: int
    shares: dict[str, float]
    colours: dict[str, Colour]
    shown: list[int]
    pictures: Tensor


def measure_pixel_origin(generator: Generator, target: TrackedClip, part: range) -> PixelOrigin | None:
    """Measure the origin of pixels in evenly spread frames of a part that show a known face.

    Args:
        generator: network that was trained on the clip.
        target: clip that the part belongs to.
        part: numbers of the held-out frames in the clip.

    Returns:
        None if the network takes no key frames, or no frame shows a known face.
    """
    known = target.track.valid[part.start : part.stop].nonzero()[:, 0]
    if not isinstance(generator, BlendGenerator) or not len(known):
        return None
    parameters, numbers = target.track.parameters[part.start : part.stop], spread(known, SAMPLE)
    renderer, cuts = target_renderer(target.track, generator), cuts_in(part, target.track.info.cuts)
    shares, pictures = [], []
    for chosen, traced in trace_pixels(generator, target.track, parameters, numbers, cuts):
        regions = renderer.regions(parameters[chosen]).to(traced.device)
        shares.append(torch.stack(list(origin_shares(traced, regions).values())))
        pictures.append(origin_picture(traced))
    means = torch.cat(shares, 1).nanmean(1).tolist()
    shown = spread(torch.arange(len(numbers)), PICTURES)
    return PixelOrigin(
        frames=len(numbers),
        shares=dict(zip(PIXEL_ORIGINS, means, strict=True)),
        colours=origin_colours(generator.references),
        shown=numbers[shown].tolist(),
        pictures=torch.cat(pictures)[shown],
    )


def origin_shares(shares: Tensor, region: Tensor) -> dict[str, Tensor]:
    """Return the mean share in each region of N frames by its name in ``PIXEL_ORIGINS``, (N,) each; NaN without the region.

    Args:
        shares: float32 (N, K + 3, H, W), by the rules of ``Blend.shares``.
        region: uint8 (N, H, W) of ``EMPTY``, ``FACE``, ``EYES`` and ``MOUTH``.
    """
    sources = (shares[:, :-3].sum(1), *shares[:, -3:].unbind(1))
    masks = (torch.ones_like(region, dtype=torch.bool), region != EMPTY, region == EYES, region == MOUTH)
    means = [region_mean(source, mask) for source in sources for mask in masks]
    return dict(zip(PIXEL_ORIGINS, means, strict=True))


def spread(values: Tensor, most: int) -> Tensor:
    """Return evenly spread values of (N,), the first and the last among them: all, or ``most`` of them where there are more."""
    return values[torch.linspace(0, len(values) - 1, min(most, len(values))).round().long()]
