"""Several methods' frames against the real frames that were kept from training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import torch
from torch import Tensor

from lit_reenact.losses import Lpips
from lit_reenact.metrics import FaceL1, psnr, ssim

_BATCH = 16


@torch.inference_mode()
def compare(
    outputs: Mapping[str, Iterable[Tensor]], target: Iterable[Tensor], masks: Iterable[Tensor], lpips: Lpips | None = None
) -> dict[str, dict[str, float]]:
    """Compare several methods' frames with the real ones, all read in step and never held all at once.

    Args:
        outputs: method to its frames, uint8 (H, W, 3) each.
        target: the real frames, uint8 (H, W, 3).
        masks: the pixels of the face, bool (H, W), for every frame.
        lpips: adds LPIPS under its own name, which says whether its backbone was trained.

    Returns:
        Method to ``face_l1`` and ``l1`` in levels of 255, ``psnr`` in dB and ``ssim``: means over frames of each frame's value,
        ``face_l1`` over those that show a face.

    Raises:
        ValueError: they differ in their number of frames.
    """
    faces = {method: FaceL1() for method in outputs}
    totals: dict[str, dict[str, float]] = {method: defaultdict(float) for method in outputs}
    count = 0
    for batch in _batches(zip(target, masks, *outputs.values(), strict=True)):
        real, mask, *made = (torch.stack(frames) for frames in zip(*batch, strict=True))
        count += len(real)
        for method, frames in zip(outputs, made, strict=True):
            faces[method].update(_unit(frames), _unit(real), mask)
            for name, values in frame_metrics(_unit(frames), _unit(real), lpips).items():
                totals[method][name] += float(values.double().sum())
    return {
        method: {"face_l1": float(faces[method].compute()), **{name: total / count for name, total in totals[method].items()}}
        for method in outputs
    }


def frame_metrics(output: Tensor, target: Tensor, lpips: Lpips | None = None) -> dict[str, Tensor]:
    """What is measured of whole frames, (N,) each, from images (N, 3, H, W) in [0, 1]."""
    values = {
        "l1": (output - target).abs().mean((1, 2, 3)) * 255,
        "psnr": psnr(output, target),
        "ssim": ssim(output, target),
    }
    if lpips is not None:
        values[lpips.name] = lpips(prediction=output * 2 - 1, target=target * 2 - 1)
    return values


def _unit(frames: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) in [0, 1]."""
    return frames.permute(0, 3, 1, 2).float() / 255


def _batches(items: Iterator[tuple[Tensor, ...]]) -> Iterator[list[tuple[Tensor, ...]]]:
    while batch := list(islice(items, _BATCH)):
        yield batch
