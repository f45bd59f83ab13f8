"""Smooth continuation of values that are known in a part of an image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from lit_reenact.rendering import backend

COARSEST = 8
"""Side of the smallest grid that a displacement is spread over, pixels."""

SWEEPS, FINE_SWEEPS, FINE = 20, 4, 64
"""Relaxations on each grid, and on grids with a side above ``FINE`` pixels, which start from a nearly right result."""


def spread(values: Tensor, known: Tensor) -> Tensor:
    """Continue values smoothly from known pixels to 0 at the border of the image.

    Every other pixel becomes nearly the mean of its neighbours (the harmonic continuation), computed on ever finer grids.

    Args:
        values: (N, C, H, W).
        known: bool (N, 1, H, W), pixels whose values are kept.

    Returns:
        (N, C, H, W).
    """
    height, width = values.shape[2:]
    values = values * known
    if min(height, width) > COARSEST:
        share = avg_pool2d(known.float(), 2, ceil_mode=True)
        coarse = avg_pool2d(values, 2, ceil_mode=True) / share.clamp_min(1e-6)
        start = interpolate(spread(coarse, share > 0), size=(height, width), mode="bilinear", align_corners=False)
    else:
        start = torch.zeros_like(values)
    return relax(torch.where(known, values, start), known, SWEEPS if min(height, width) <= FINE else FINE_SWEEPS)


def relax(values: Tensor, known: Tensor, sweeps: int) -> Tensor:
    """Replace unknown pixels by the mean of their four neighbours, several times; beyond the border all values are 0.

    Args:
        values: (N, C, H, W).
        known: bool (N, 1, H, W), pixels that keep their values.
        sweeps: number of times.

    Returns:
        (N, C, H, W).
    """
    if values.dtype == torch.float32 and (compiled := backend.kernels(values.device)) is not None:
        relaxed: Tensor = compiled.relax(values, known, sweeps)
        return relaxed
    result = values
    for _ in range(sweeps):
        padded = pad(result, (1, 1, 1, 1))
        around = padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
        around.add_(padded[..., :-2, 1:-1]).add_(padded[..., 2:, 1:-1]).div_(4)
        result = torch.where(known, values, around)
    return result
