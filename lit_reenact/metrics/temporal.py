"""How steady a generated clip is in time, measured by the real one. Clips are (T, 3, H, W) in [0, 1], frame after frame.

``flow`` (T, 2, H, W) is that of the real frames, in pixels, right and down: where each pixel was in the frame before; NaN where
that one is not there, as in a first frame or after a cut.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.geometry import warp_by_flow
from lit_reenact.metrics.frames import LEVELS

TRUST = 50.0
"""How fast a pixel loses its say as the flow explains it worse (Lai et al. 2018)."""

STILL = 0.5
"""Pixels by which what counts as standing still may seem to move from one frame to the next."""


def warped_error(output: Tensor, target: Tensor, flow: Tensor) -> Tensor:
    """Flow-warped error of each frame, (T,) in levels of 255: 0 is best, at most 255; NaN where no frame comes before it.

    The mean of |x_t - W(x_{t-1})|, the frame against the one before it, carried along by the flow W of the real frames. A
    pixel counts by exp(-50 e^2), e being how far apart these two are in the real clip: what comes into view there, or is
    followed wrongly, was not to be expected (the temporal error of Lai et al. 2018, with absolute differences).
    """
    before, now = torch.cat([output, target], 1)[:-1], torch.cat([output, target], 1)[1:]
    difference = now - warp_by_flow(before, flow[1:].nan_to_num())
    made, real = difference.chunk(2, dim=1)
    say = torch.exp(-TRUST * real.square().sum(1)) * flow[1:].isfinite().all(1)  # (T - 1, H, W)
    error = (made.abs().mean(1) * say).sum((1, 2)) / say.sum((1, 2)) * LEVELS
    return torch.cat([error.new_full((1,), torch.nan), error])


def still_pixels(flow: Tensor) -> Tensor:
    """Where the real clip stands still about a frame: bool (T, H, W), the flow into it and on to the next is below ``STILL``."""
    slow: Tensor = flow.norm(dim=1) < STILL  # false for NaN
    return slow & torch.cat([slow[1:], torch.zeros_like(slow[:1])])


def flicker(clip: Tensor, still: Tensor) -> Tensor:
    """Flicker of each frame, (T,) in levels of 255: the mean of |x_{t-1} - 2 x_t + x_{t+1}| over the pixels where the real clip
    stands still, bool (T, H, W). 0 is steady, at most 510; NaN in the first and the last frame and where nothing is still.

    The second difference leaves slow changes of light alone, and what stands still leaves out motion, which is no flicker.
    """
    second = (clip[:-2] - 2 * clip[1:-1] + clip[2:]).abs().mean(1)  # (T - 2, H, W)
    inner = (second * still[1:-1]).sum((1, 2)) / still[1:-1].sum((1, 2)) * LEVELS
    edge = inner.new_full((1,), torch.nan)
    return torch.cat([edge, inner, edge])


def flicker_difference(output: Tensor, target: Tensor) -> Tensor:
    """|flicker(output) / flicker(target) - 1| of mean flickers (...): 0 when the clip flickers as the real one does, 1 when
    it does not at all or twice as much; no upper bound.
    """
    return (output / target - 1).abs()
