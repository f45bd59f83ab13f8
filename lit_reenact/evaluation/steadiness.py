"""How steady several methods' frames are in time, measured by how the real frames move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from lit_reenact.core.parallel import map_in_threads
from lit_reenact.evaluation.heldout import Values, unit
from lit_reenact.metrics.temporal import flicker, still_pixels, warped_error
from lit_reenact.video.optical_flow import optical_flow

_BATCH = 16


def measure_steadiness(outputs: Mapping[str, Tensor], target: Tensor, follows: Tensor) -> Values:
    """Compare the change from frame to frame.

    Args:
        outputs: method to its frames, uint8 (T, H, W, 3).
        target: the real frames, the same.
        follows: bool (T,) whether a frame is the next one in its shot after the one before.

    Returns:
        Method to ``warped_error`` (T,) and ``flicker`` (T, 2), the method's and the real clip's.
    """

    @torch.inference_mode()
    def of_chunk(chunk: tuple[slice, slice]) -> dict[str, tuple[Tensor, Tensor]]:
        wide, inner = chunk
        first = torch.arange(wide.start, wide.stop) == wide.start
        flow = optical_flow(target[wide].permute(0, 3, 1, 2), follows[wide] & ~first).float()
        real, still = unit(target[wide]), still_pixels(flow)
        pace, measured = flicker(real, still), {}
        for method, frames in outputs.items():
            made = unit(frames[wide])
            pair = torch.stack([flicker(made, still), pace], -1)
            measured[method] = warped_error(made, real, flow)[inner], pair[inner]
        return measured

    chunks = map_in_threads(of_chunk, _overlapping(len(target)))
    names = ("warped_error", "flicker")
    return {
        method: {name: torch.cat([chunk[method][number] for chunk in chunks]) for number, name in enumerate(names)}
        for method in outputs
    }


def _overlapping(frames: int) -> Iterator[tuple[slice, slice]]:
    """Chunks of a clip with the frame before and the frame after, and which part of each the chunk itself is."""
    for start in range(0, frames, _BATCH):
        stop = min(start + _BATCH, frames)
        before = max(start - 1, 0)
        yield slice(before, min(stop + 1, frames)), slice(start - before, stop - before)
