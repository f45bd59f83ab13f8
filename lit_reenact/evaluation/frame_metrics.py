"""Metrics of single frames: several methods' frames against the real frames that were held out from training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import torch
from torch import Tensor

from lit_reenact.core.parallel import map_in_threads
from lit_reenact.core.schema import EMPTY, EYES, MOUTH
from lit_reenact.metrics.frames import MS_SSIM_SIDE, error_map, l1, ms_ssim, psnr, ssim_map
from lit_reenact.metrics.regions import region_l1, region_mean, region_psnr
from lit_reenact.metrics.sharpness import high_frequency_energy

_BATCH = 2
"""Frames of each method compared at once; small, so that the intermediate images stay small."""

Values = dict[str, dict[str, Tensor]]
"""Method to metric to the value of each frame, (T,); NaN where a frame has none."""


def compare_frames(outputs: Mapping[str, Iterable[Tensor]], target: Iterable[Tensor], regions: Iterable[Tensor]) -> Values:
    """Compare several methods' frames with the real ones; all are read in step and never held at once.

    Args:
        outputs: method to its frames, uint8 (H, W, 3) each.
        target: real frames, uint8 (H, W, 3) each.
        regions: region image of each real frame, uint8 (H, W) of ``EMPTY``, ``FACE``, ``EYES``, ``MOUTH``.

    Returns:
        The metrics of ``frame_metrics`` for every method.

    Raises:
        ValueError: the methods, the real frames and the regions differ in their number of frames.
    """

    @torch.inference_mode()
    def compare_batch(batch: list[tuple[Tensor, ...]]) -> Values:
        real, region, *generated = (torch.stack(frames) for frames in zip(*batch, strict=True))
        frames_of = dict(zip(outputs, generated, strict=True))
        return {method: frame_metrics(unit(frames), unit(real), region) for method, frames in frames_of.items()}

    values: dict[str, dict[str, list[Tensor]]] = {method: defaultdict(list) for method in outputs}
    for batch_values in map_in_threads(compare_batch, _batches(zip(target, regions, *outputs.values(), strict=True))):
        for method, metrics in batch_values.items():
            for name, series in metrics.items():
                values[method][name].append(series)
    return {method: {name: torch.cat(parts) for name, parts in metrics.items()} for method, metrics in values.items()}


def frame_metrics(output: Tensor, target: Tensor, region: Tensor) -> dict[str, Tensor]:
    """Return the metrics of N frames by name, (N,) each, and ``high_frequency`` (N, 2).

    The face is everything in a region image that is not empty. ``ms_ssim`` is missing for images that are too small for it.

    Args:
        output: generated frames, float32 (N, 3, H, W) in [0, 1].
        target: real frames, float32 (N, 3, H, W) in [0, 1].
        region: region images, uint8 (N, H, W).
    """
    similarity = ssim_map(output, target)
    values = {
        "l1": l1(output, target),
        "photometric": error_map(output, target).mean((1, 2)),
        "psnr": psnr(output, target),
        "ssim": similarity.mean((1, 2)),
    }
    if min(target.shape[2:]) >= MS_SSIM_SIDE:
        values["ms_ssim"] = ms_ssim(output, target)
    for name, mask in (("face", region != EMPTY), ("mouth", region == MOUTH), ("eyes", region == EYES)):
        values[f"{name}_l1"] = region_l1(output, target, mask)
        values[f"{name}_psnr"] = region_psnr(output, target, mask)
        values[f"{name}_ssim"] = region_mean(similarity, mask)
    values["high_frequency"] = high_frequency_energy(output, target)
    return values


def unit(frames: Tensor) -> Tensor:
    """Convert frames uint8 (N, H, W, 3) to float32 (N, 3, H, W) in [0, 1]."""
    return frames.permute(0, 3, 1, 2).float() / 255


def _batches(items: Iterator[tuple[Tensor, ...]]) -> Iterator[list[tuple[Tensor, ...]]]:
    while batch := list(islice(items, _BATCH)):
        yield batch
