"""Temporal steadiness of a generated clip, compared with the real one. Clips are (T, 3, H, W) in [0, 1].

``flow`` (T, 2, H, W) is the optical flow of the real frames in pixels, right and down: a pixel at x was at x + flow in the frame
before. It is NaN where no frame comes before, as in a first frame or after a cut.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.geometry import warp_by_flow
from lit_reenact.metrics.frames import LEVELS

TRUST = 50.0
"""Rate at which the weight of a pixel falls with the squared error of the flow in the real clip (Lai et al. 2018)."""

STILL = 0.5
"""Largest motion from one frame to the next, pixels, that counts as standing still."""


def warped_error(output: Tensor, target: Tensor, flow: Tensor) -> Tensor:
    """Return the flow-warped error (T,) of each frame, in levels of 255; 0 is best, at most 255, NaN where no frame comes before.

    It is the weighted mean of |x_t - W(x_{t-1})|, the difference to the frame before, warped by the flow W of the real frames.
    The weight of a pixel is exp(-50 e^2) with the same difference e in the real clip: a generated clip cannot be expected to
    follow the flow where it is wrong or where something comes into view (Lai et al. 2018, with absolute differences).
    """
    before, now = torch.cat([output, target], 1)[:-1], torch.cat([output, target], 1)[1:]
    difference = now - warp_by_flow(before, flow[1:].nan_to_num())
    generated, real = difference.chunk(2, dim=1)
    weight = torch.exp(-TRUST * real.square().sum(1)) * flow[1:].isfinite().all(1)  # (T - 1, H, W)
    error = (generated.abs().mean(1) * weight).sum((1, 2)) / weight.sum((1, 2)) * LEVELS
    return torch.cat([error.new_full((1,), torch.nan), error])


def still_pixels(flow: Tensor) -> Tensor:
    """Return the pixels that stand still, bool (T, H, W): the flow into a frame and on to the next is below ``STILL``."""
    slow: Tensor = flow.norm(dim=1) < STILL  # false for NaN
    return slow & torch.cat([slow[1:], torch.zeros_like(slow[:1])])


def flicker(clip: Tensor, still: Tensor) -> Tensor:
    """Return the flicker (T,) of each frame, in levels of 255; 0 is steady, at most 510.

    It is the mean of |x_{t-1} - 2 x_t + x_{t+1}| over still pixels: a second difference ignores slow changes of light, and still
    pixels exclude motion. It is NaN in the first and the last frame and where nothing is still.

    Args:
        clip: (T, 3, H, W) in [0, 1].
        still: bool (T, H, W), the ``still_pixels`` of the real clip.
    """
    second = (clip[:-2] - 2 * clip[1:-1] + clip[2:]).abs().mean(1)  # (T - 2, H, W)
    inner = (second * still[1:-1]).sum((1, 2)) / still[1:-1].sum((1, 2)) * LEVELS
    edge = inner.new_full((1,), torch.nan)
    return torch.cat([edge, inner, edge])


def flicker_difference(output: Tensor, target: Tensor) -> Tensor:
    """Return |output / target - 1| of two mean flickers (...); 0 if equal, 1 if the output's is zero or twice the target's."""
    return (output / target - 1).abs()
