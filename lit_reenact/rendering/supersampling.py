"""Patches: the samples of one pixel that show the same triangle, which are painted as one.

A pixel shows the mean of its samples. Colours change little within a triangle, so they are computed once, at the centroid of the
patch, and weighted by its number of samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.rendering.rasterizer import Hits
from lit_reenact.rendering.span_rasterizer import Nearest, find_nearest, perspective_correct, take


@dataclass(frozen=True)
class Patches:
    """P patches of B images, ordered by pixel, and within a pixel by first sample. A pixel has S * S samples.

    Attributes:
        pixel: int64 (P,), flat index among all B * H * W pixels.
        sample: int64 (P,), flat index of the first sample among all B * (S * H) * (S * W).
        triangle: int64 (P,), index of the triangle.
        barycentric: float32 (P, 3), perspective-correct weights of the triangle's corners at the centroid of the samples.
        place: float32 (P, 2), x and y of the centroid in samples.
        count: float32 (P,), number of samples.
        depth: float32 (P,), depth of the centroid, mm.
        leads: bool (P,), whether the first sample of the pixel is in the patch.
    """

    pixel: Tensor
    sample: Tensor
    triangle: Tensor
    barycentric: Tensor
    place: Tensor
    count: Tensor
    depth: Tensor
    leads: Tensor

    def hits(self) -> Hits:
        """Return the patches in the form of hits, one at each centroid."""
        return Hits(self.pixel, self.triangle, self.barycentric, self.depth)


def find_patches(points: Tensor, faces: Tensor, single: Tensor, height: int, width: int, samples: int) -> Patches:
    """Rasterize the samples and group them into patches.

    Args:
        points: (B, V, 3), x and y in samples, depth in mm.
        faces: int64 (F, 3), corners of the triangles.
        single: bool (F,), triangles whose samples are painted one by one, each as its own patch.
        height: height of the images in pixels.
        width: width of the images in pixels.
        samples: samples along each side of a pixel.
    """
    nearest = find_nearest(points, faces, height * samples, width * samples, cull_backfaces=True)
    number = nearest.triangles.number % max(1, len(faces))  # (D,)
    pixel, first, seen = _covered_pixels(nearest, width, samples)
    group, begins = _group(seen, single[number])
    pick = begins.T.flatten().nonzero().squeeze(-1)  # (P,) among all C * S * S samples
    of_pixel, of_sample = pick // samples**2, pick % samples**2

    sums = _sums_by_group(samples, seen.device).index_select(0, group.T.flatten().index_select(0, pick))  # (P, 3)
    start = first.index_select(0, of_pixel)
    corner = torch.stack([start % (width * samples), start // (width * samples) % (height * samples)], 1)
    place = sums[:, 1:] / sums[:, :1] + corner
    drawn = seen.T.flatten().index_select(0, pick)
    barycentric, depth = _weights_at(place, nearest, drawn)
    return Patches(
        pixel=pixel.index_select(0, of_pixel),
        sample=start + of_sample // samples * (width * samples) + of_sample % samples,
        triangle=take(number, drawn),
        barycentric=barycentric,
        place=place,
        count=sums[:, 0],
        depth=depth,
        leads=of_sample == 0,
    )


def _covered_pixels(nearest: Nearest, width: int, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return C covered pixels int64 (C,), their first samples (C,), and the drawn triangle of all samples (S * S, C), or -1."""
    keys = nearest.key.view(-1, samples, width, samples).permute(1, 3, 0, 2).reshape(samples**2, -1)
    pixel = keys.amax(0).nonzero().squeeze(-1)
    keys = keys.index_select(1, pixel)
    first = pixel // width * (width * samples**2) + pixel % width * samples
    seen = take(nearest.spans.triangle, -keys & 0xFFFFFFFF)  # 0 stands for nothing, and is the first span
    return pixel, first, torch.where(keys == 0, -1, seen)


def _group(seen: Tensor, single: Tensor) -> tuple[Tensor, Tensor]:
    """Group samples that show the same triangle.

    Args:
        seen: int64 (S * S, C), drawn triangle of each sample, -1 for none.
        single: bool (D,), drawn triangles whose samples stay by themselves.

    Returns:
        Bit mask of the samples in the same patch as each sample, int32 (S * S, C), and whether each is the first in it.
    """
    inside = seen >= 0  # (S * S, C)
    alone = inside & take(single, seen.clamp_min(0)) if len(single) else inside
    order = torch.arange(len(seen), device=seen.device)
    name = torch.where(alone, -2 - order[:, None], seen)  # (S * S, C), equal in samples of the same patch
    group = torch.stack([(name == name[k]).to(torch.int32) << k for k in range(len(seen))]).sum(0, dtype=torch.int32)
    return group, inside & (group & ((1 << order[:, None]) - 1) == 0)


def _sums_by_group(samples: int, device: torch.device) -> Tensor:
    """Return the number of samples of every possible group, and the sums of their x and y: (2 ** (S * S), 3)."""
    along = torch.arange(samples, device=device) + 0.5
    table = torch.stack([torch.ones_like(along.repeat(samples)), along.repeat(samples), along.repeat_interleave(samples)], 1)
    every = torch.arange(2**samples**2, device=device)[:, None] >> torch.arange(samples**2, device=device) & 1
    return every.float() @ table


def _weights_at(place: Tensor, nearest: Nearest, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Return the corners' weights (P, 3) and the depth (P,) of drawn triangles (P,) at places (P, 2)."""
    triangles = nearest.triangles
    planes = torch.cat([triangles.x[:1], triangles.y[:1], triangles.along_x[:2], triangles.along_y[:2], triangles.inverse_depth])
    x, y, second_x, third_x, second_y, third_y, *inverse_depths = planes.float().index_select(1, drawn)
    right, down = place[:, 0] - x, place[:, 1] - y
    second, third = second_x * right + second_y * down, third_x * right + third_y * down
    return perspective_correct(second, third, tuple(inverse_depths))
