"""Steadiness of several methods' frames in time, measured along the motion of the real frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from lit_reenact.core.parallel import map_in_threads
from lit_reenact.evaluation.frame_metrics import Values, unit
from lit_reenact.metrics.temporal import flicker, still_pixels, warped_error
from lit_reenact.video.optical_flow import optical_flow

_BATCH = 16


def measure_steadiness(outputs: Mapping[str, Tensor], target: Tensor, follows: Tensor) -> Values:
    """Compare the changes from frame to frame with those of the real clip.

    Args:
        outputs: method to its frames, uint8 (T, H, W, 3).
        target: real frames, uint8 (T, H, W, 3).
        follows: bool (T,), False for the first frame of a shot.

    Returns:
        Method to ``warped_error`` (T,) and ``flicker`` (T, 2): the flicker of the method and of the real clip.
    """

    @torch.inference_mode()
    def compare_chunk(chunk: tuple[slice, slice]) -> dict[str, tuple[Tensor, Tensor]]:
        wide, inner = chunk
        first = torch.arange(wide.start, wide.stop) == wide.start
        flow = optical_flow(target[wide].permute(0, 3, 1, 2), follows[wide] & ~first).float()
        real, still = unit(target[wide]), still_pixels(flow)
        real_flicker, values = flicker(real, still), {}
        for method, frames in outputs.items():
            generated = unit(frames[wide])
            pair = torch.stack([flicker(generated, still), real_flicker], -1)
            values[method] = warped_error(generated, real, flow)[inner], pair[inner]
        return values

    chunks = map_in_threads(compare_chunk, _overlapping(len(target)))
    names = ("warped_error", "flicker")
    return {
        method: {name: torch.cat([chunk[method][number] for chunk in chunks]) for number, name in enumerate(names)}
        for method in outputs
    }


def _overlapping(frames: int) -> Iterator[tuple[slice, slice]]:
    """Yield chunks of a clip with the frame before and the frame after, and the slice of each that is the chunk itself."""
    for start in range(0, frames, _BATCH):
        stop = min(start + _BATCH, frames)
        before = max(start - 1, 0)
        yield slice(before, min(stop + 1, frames)), slice(start - before, stop - before)
