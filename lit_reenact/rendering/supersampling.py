"""Samples of one pixel that show the same triangle, which are painted as one.

A pixel shows the mean of its samples. Colours change little within a triangle, so they are worked out once, at the centroid of
these samples, and weigh as many as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.rendering.rasterizer import Hits
from lit_reenact.rendering.span_rasterizer import Nearest, find_nearest, perspective_correct, take


@dataclass(frozen=True)
class Patches:
    """P patches of B images, in the order of their pixels, and in a pixel of their first samples.

    Attributes:
        pixel: int64 (P,), flat index among all B * H * W pixels.
        sample: int64 (P,), flat index of the first sample among all B * (S * H) * (S * W).
        triangle: int64 (P,).
        barycentric: float32 (P, 3), perspective-correct weights of its corners at the centroid of the samples.
        place: float32 (P, 2), x and y of that centroid in samples.
        count: float32 (P,), how many samples.
        depth: float32 (P,), mm, of the centroid.
        leads: bool (P,), whether the first sample of the pixel is among them.
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
        """What is seen at the centroids, as of pixels."""
        return Hits(self.pixel, self.triangle, self.barycentric, self.depth)


def find_patches(points: Tensor, faces: Tensor, single: Tensor, height: int, width: int, samples: int) -> Patches:
    """Rasterise, and gather the samples.

    Args:
        points: (B, V, 3) x and y in samples, depth in mm.
        faces: int64 (F, 3).
        single: bool (F,), triangles whose samples stay by themselves.
        height: of the images in pixels.
        width: of the images in pixels.
        samples: along each side of a pixel.
    """
    nearest = find_nearest(points, faces, height * samples, width * samples, cull_backfaces=True)
    number = nearest.triangles.number % max(1, len(faces))  # (D,)
    pixel, first, seen = _pixels(nearest, width, samples)
    inside = seen >= 0  # (S * S, C)
    alone = inside & take(single[number], seen.clamp_min(0)) if len(number) else inside
    order = torch.arange(samples**2, device=seen.device)
    name = torch.where(alone, -2 - order[:, None], seen)  # (S * S, C), equal in samples of the same patch
    # Which samples are alike, a bit for each of them: (S * S, C).
    group = torch.stack([(name == name[k]).to(torch.int32) << k for k in range(samples**2)]).sum(0, dtype=torch.int32)
    begins = inside & (group & ((1 << order[:, None]) - 1) == 0)  # none before it belongs to the patch
    pick = begins.T.flatten().nonzero().squeeze(-1)  # (P,)

    along = torch.arange(samples, device=seen.device) + 0.5
    table = torch.stack([torch.ones_like(along.repeat(samples)), along.repeat(samples), along.repeat_interleave(samples)], 1)
    every = torch.arange(2**samples**2, device=seen.device)[:, None] >> order & 1
    sums = (every.float() @ table).index_select(0, group.T.flatten().index_select(0, pick))  # (P, 3) number, sums of places
    of_pixel, of_sample = pick // samples**2, pick % samples**2
    drawn = seen.T.flatten().index_select(0, pick)
    start = first.index_select(0, of_pixel)
    corner = torch.stack([start % (width * samples), start // (width * samples) % (height * samples)], 1)
    place = sums[:, 1:3] / sums[:, :1] + corner
    triangles = nearest.triangles
    planes = torch.cat([triangles.x[:1], triangles.y[:1], triangles.along_x[:2], triangles.along_y[:2], triangles.inverse_depth])
    x, y, second_x, third_x, second_y, third_y, *inverse_depths = planes.float().index_select(1, drawn)
    right, down = place[:, 0] - x, place[:, 1] - y
    second, third = second_x * right + second_y * down, third_x * right + third_y * down
    barycentric, depth = perspective_correct(second, third, tuple(inverse_depths))
    sample = start + of_sample // samples * (width * samples) + of_sample % samples
    return Patches(
        pixel.index_select(0, of_pixel), sample, take(number, drawn), barycentric, place, sums[:, 0], depth, of_sample == 0
    )


def _pixels(nearest: Nearest, width: int, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """The C pixels in which anything is seen: int64 (C,); their first samples (C,); the drawn triangle of all, -1 for none:
    (S * S, C).
    """
    keys = nearest.key.view(-1, samples, width, samples).permute(1, 3, 0, 2).reshape(samples**2, -1)
    pixel = keys.amax(0).nonzero().squeeze(-1)
    keys = keys.index_select(1, pixel)
    first = pixel // width * (width * samples**2) + pixel % width * samples
    seen = take(nearest.spans.triangle, -keys & 0xFFFFFFFF)  # 0 stands for nothing, and is the first span
    return pixel, first, torch.where(keys == 0, -1, seen)
