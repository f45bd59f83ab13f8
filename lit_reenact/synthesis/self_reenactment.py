"""The target driven by its own motion: the test of a network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import Ingredient, Record, open_generated_video
from lit_reenact.synthesis.generated_frames import synthesise
from lit_reenact.synthesis.pictures import error_picture
from lit_reenact.synthesis.writing import OUTPUT_CRF
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video.cuts import cuts_in


def write_self_reenactment(
    target: TrackedClip, frames: range, generator: Generator, output: Path, progress: bool = True, **facts: str
) -> Tensor:
    """Synthesise consecutive frames of the target's own clip and write input | conditioning | output | error.

    Args:
        target: clip and track that the frames are taken from.
        frames: numbers of the N frames, usually the held-out part.
        generator: network trained on the target's clip.
        output: the .mp4 to write.
        progress: show a progress bar.
        **facts: facts about the network for the video's record, such as ``batch_step="5000"``.

    Returns:
        The generated frames, uint8 (N, S, S, 3), for metrics.

    Raises:
        ReenactError: the video cannot be written or signed.
    """
    record = Record(f"{target.track.info.source} reenacted by itself", (Ingredient.of(target.track, "target"),), settings=facts)
    parameters = target.track.parameters[frames.start : frames.stop]
    cuts = cuts_in(frames, target.track.info.cuts)
    chunks = synthesise(generator, target.track, parameters, cuts, progress="held-out frames" if progress else None)
    outputs = []
    with open_generated_video(output, target.fps, record, crf=OUTPUT_CRF) as video:
        for numbers, generated, conditioning in chunks:
            real = target.read(frames[numbers], generator.image_size)
            for row in torch.cat([real, conditioning, generated, error_picture(generated, real)], dim=2):
                video.write(row)
            outputs.append(generated)
    return torch.cat(outputs)
