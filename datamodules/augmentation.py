"""Random geometric and colour augmentation, the same for all images of a window and for its frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from kornia.enhance import adjust_contrast, adjust_hue, adjust_saturation
from kornia.geometry.transform import get_affine_matrix2d, warp_affine
from torch import Tensor

from lit_reenact.core.schema import CONDITIONING, EYES, MOUTH, ConditioningImage, References, Window, conditioning_channels
from lit_reenact.datamodules.affine_warp import warp_images
from lit_reenact.networks.references import VALIDITY

MOVES, COLOURS = 4, 3
"""Random numbers for one window: rotation, scale and two shifts; exposure, saturation and hue."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training windows; every setting is the largest change, and 0 switches it off.

    Each window draws its own change, uniformly between the two extremes of every setting. The mean frame that a residual head
    starts from changes in the same way, so that a background that stands still also stands still for the network. Where windows
    come with optical flow, those that follow each other change alike, so that one still follows the other.

    Attributes:
        rotation: rotation about the middle of the image, degrees to either side.
        shift: shift along each axis, as a share of the image's side.
        scale: share by which the image becomes larger or smaller.
        exposure: share by which colours become brighter or darker.
        saturation: share by which colours become more or less saturated.
        hue: share of the colour circle by which hues turn to either side.
        omission: probability that a reference frame is left out of a window, in [0, 1).
        hiding: probability that the eyes, and that the mouth, of all reference frames are hidden in a window, in [0, 1): they
            must be painted then, as where no reference frame shows an eye or a mouth so far open.
        probability: probability that a window is changed at all, in [0, 1]; references are left out of any.

    Example:
        >>> augmentation = Augmentation(rotation=5.0, shift=0.02, exposure=0.1)
        >>> window = augmentation(window, torch.Generator().manual_seed(0))
    """

    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    exposure: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    omission: float = 0.0
    hiding: float = 0.0
    probability: float = 1.0

    def __call__(
        self, window: Window, generator: torch.Generator, conditioning: Sequence[ConditioningImage] = CONDITIONING
    ) -> Window:
        """Change a batch of windows.

        Args:
            window: images float32 in [-1, 1]; its conditioning may be overwritten.
            generator: random numbers, on the CPU; a call draws equally many of them whatever is moved or recoloured.
            conditioning: names of the conditioning images of each frame.

        Returns:
            The changed windows, images in [-1, 1].
        """
        draw = torch.rand(len(window.frame), MOVES + COLOURS, generator=generator).mul_(2).sub_(1)
        draw = draw * (torch.rand(len(draw), 1, generator=generator) < self.probability)
        alike = run_starts(window.flow).cpu() if window.flow.numel() else slice(None)
        draw = draw[alike].to(window.frame)
        if window.references is not None and self.omission:
            kept = torch.rand(window.references.present.shape, generator=generator) >= self.omission
            window = window._replace(references=_omit(window.references, kept[alike]))
        if window.references is not None and self.hiding:
            hidden = torch.rand(2, len(draw), generator=generator) < self.hiding
            window = window._replace(references=_hide(window.references, window.region, hidden[:, alike]))
        if self.rotation or self.shift or self.scale:
            window = self._move(window, draw[:, :MOVES])
        if self.exposure or self.saturation or self.hue:
            window = self._recolour(window, draw[:, MOVES:], conditioning)
        return window

    def _move(self, window: Window, draw: Tensor) -> Window:
        """Rotate, scale and shift the images; outside them, conditioning is black and frames repeat their border."""
        size = window.frame.shape[-1]
        factor = torch.exp(draw[:, 1:2] * math.log1p(self.scale)).expand(-1, 2)
        centre = draw.new_full((len(draw), 2), (size - 1) / 2)
        matrix = get_affine_matrix2d(draw[:, 2:] * self.shift * size, centre, factor, draw[:, 0] * self.rotation)[:, :2]

        def warp(images: Tensor, mode: str = "bilinear", padding: str = "border") -> Tensor:
            return warp_affine(images, matrix, (size, size), mode=mode, padding_mode=padding, align_corners=True)

        return window._replace(
            conditioning=warp_images(window.conditioning, matrix),
            frame=warp(window.frame, "bicubic", "border").clamp(-1, 1),
            base=warp(window.base, "bicubic", "border").clamp(-1, 1),
            region=warp(window.region[:, None].float(), "nearest", "zeros")[:, 0].to(window.region.dtype),
            flow=_move_flow(window.flow, matrix, warp) if window.flow.numel() else window.flow,
            references=None if window.references is None else _move_references(window.references, warp),
        )

    def _recolour(self, window: Window, draw: Tensor, conditioning: Sequence[ConditioningImage]) -> Window:
        """Change the colours of diffuse images and frames; other images hold codes. Black, where no face is, stays black."""
        exposure, saturation = (
            torch.exp(draw[:, k] * math.log1p(share)) for k, share in enumerate((self.exposure, self.saturation))
        )
        hue = draw[:, 2] * self.hue * 2 * math.pi

        def recolour(images: Tensor) -> Tensor:  # (B, K, 3, H, W) in [-1, 1]
            each = images.shape[1]
            flat = images.flatten(0, 1) / 2 + 0.5
            flat = adjust_contrast(flat, exposure.repeat_interleave(each))
            flat = adjust_saturation(flat, saturation.repeat_interleave(each))
            flat = adjust_hue(flat, hue.repeat_interleave(each))
            return (flat * 2 - 1).view_as(images)

        both = torch.cat([window.frame, window.base], 1)
        recoloured = recolour(both.view(len(both), -1, 3, *both.shape[2:])).flatten(1, 2)
        frame, base = recoloured[:, :3], recoloured[:, 3:]
        window = window._replace(frame=frame, base=base)
        if "diffuse" not in conditioning:
            return window
        size, first = window.conditioning.shape[2:], conditioning_channels(conditioning[: conditioning.index("diffuse")])
        images = window.conditioning.reshape(len(draw), -1, conditioning_channels(conditioning), *size).clone()
        images[:, :, first : first + 3] = recolour(images[:, :, first : first + 3])
        return window._replace(conditioning=images.flatten(1, 2))


def run_starts(flow: Tensor) -> Tensor:
    """Return the first window of the run that each window belongs to: int64 (B,).

    Args:
        flow: (B, 2, H, W) by the rules of ``Window.flow``.
    """
    number = torch.arange(len(flow), device=flow.device)
    follows = flow.isfinite().flatten(1).any(1)
    return torch.where(follows, 0, number).cummax(0).values


def _omit(references: References, kept: Tensor) -> References:
    """Leave out the reference frames that are False in ``kept``, bool (B, K)."""
    return references._replace(present=references.present * kept.to(references.present))


def _hide(references: References, region: Tensor, hidden: Tensor) -> References:
    """Mark as unseen, in all reference frames, the eyes and the mouth of windows that are True in ``hidden``, bool (2, B)."""
    eyes, mouth = hidden.to(region.device)[:, :, None, None]
    unseen = ((region == EYES) & eyes) | ((region == MOUTH) & mouth)  # (B, H, W)
    validity = references.validity.clone()
    validity[:, VALIDITY - 1 :: VALIDITY].masked_fill_(unseen[:, None], 1.0)
    return references._replace(validity=validity)


def _move_flow(flow: Tensor, matrix: Tensor, warp: Callable[..., Tensor]) -> Tensor:
    """Move optical flow with its frames, and turn and scale its vectors; NaN where a pixel comes from outside of the frame."""
    moved = torch.einsum("bij,bjhw->bihw", matrix[:, :, :2], warp(flow.float(), "bilinear", "zeros"))
    inside = warp(torch.ones_like(flow[:, :1], dtype=torch.float32), "bilinear", "zeros") > 0.99
    return torch.where(inside, moved, torch.nan).to(flow.dtype)


def _move_references(references: References, warp: Callable[[Tensor], Tensor]) -> References:
    """Move the places in the key frames, not their pixels: they are sampled once, at the places that result."""
    return references._replace(grid=warp(references.grid), validity=warp(references.validity))


UNCHANGED = Augmentation()
