"""The target driven by itself: what a network is tested with."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import Ingredient, Record, generated_video
from lit_reenact.synthesis.pictures import error_picture
from lit_reenact.synthesis.writing import OUTPUT_CRF, synthesise
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video.cuts import cuts_in


def write_self_reenactment(
    target: TrackedClip, frames: range, generator: Generator, output: Path, progress: bool = True, **facts: str
) -> Tensor:
    """Synthesise a run of the target's own frames and write input | conditioning | output | error.

    Returns:
        The synthesised frames, uint8 (N, H, W, 3), for metrics.
    """
    record = Record(f"{target.track.info.source} reenacted by itself", (Ingredient.of(target.track, "target"),), settings=facts)
    parameters = target.track.parameters[frames.start : frames.stop]
    cuts = cuts_in(frames, target.track.info.cuts)
    outputs = []
    with generated_video(output, target.fps, record, crf=OUTPUT_CRF) as video:
        for numbers, made, conditioning in synthesise(
            generator, target.track, parameters, cuts, "held-out frames" if progress else None
        ):
            real = target.read(frames[numbers], generator.image_size)
            for row in torch.cat([real, conditioning, made, error_picture(made, real)], dim=2):
                video.write(row)
            outputs.append(made)
    return torch.cat(outputs)
