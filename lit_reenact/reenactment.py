"""Tracks and a generator to finished videos: the reenactment itself and its side-by-side version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.face import load_face_model
from lit_reenact.inference import render_frames
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import ai_generated_tags
from lit_reenact.rendering.ablations import Renderer, make_renderer
from lit_reenact.schema import CONDITIONING, ConditioningImage, FaceParameters, Track
from lit_reenact.tracking.trackfile import CLIP_NAME, load_track
from lit_reenact.transfer import reenact
from lit_reenact.video import FrameReader, VideoWriter, resize_frames

OUTPUT_CRF = 10
"""x264's quality of what is synthesised. At 128 pixels the usual 17 blurs lips: a mouth that opens is found again less surely."""


@dataclass(frozen=True)
class TrackedClip:
    """A track together with its working clip.

    Attributes:
        folder: where both lie.
        track: the parameters.
        frames: the clip, opened lazily.
    """

    folder: Path
    track: Track
    frames: FrameReader

    @classmethod
    def load(cls, folder: Path) -> TrackedClip:
        """Open the folder that ``lit-reenact track`` wrote; raises ReenactError as ``load_track`` does."""
        return cls(folder, load_track(folder), FrameReader(folder / CLIP_NAME))

    @property
    def clip(self) -> Path:
        return self.folder / CLIP_NAME

    @property
    def fps(self) -> Fraction:
        return Fraction(self.track.info.fps)

    def read(self, frames: range | slice, size: int) -> Tensor:
        """Frames of the clip, uint8 (N, size, size, 3)."""
        wanted = list(frames if isinstance(frames, range) else range(len(self.track))[frames])
        return resize_frames(self.frames.read(wanted), size)


def conditioning_picture(conditioning: Tensor, images: Sequence[ConditioningImage] = CONDITIONING) -> Tensor:
    """What a person wants to see of the conditioning: the diffuse face, else the first image, and the eyes in it.

    Args:
        conditioning: (N, 3 K, H, W).
        images: names of the K images.

    Returns:
        (N, H, W, 3).
    """
    shown = dict(zip(images, torch.split(conditioning, 3, dim=1), strict=True))
    face = shown.get("diffuse", shown[images[0]])
    return torch.maximum(face, shown.get("eyes", face)).permute(0, 2, 3, 1)  # eyes are black in the diffuse image


def error_picture(output: Tensor, target: Tensor, full_scale: int = 64) -> Tensor:
    """Mean absolute difference of two uint8 (N, H, W, 3) as a heat map: black is 0, white ``full_scale`` levels or more."""
    heat = ((output.float() - target.float()).abs().mean(-1) / full_scale).clamp(0, 1)
    channels = [(3 * heat - shift).clamp(0, 1) for shift in range(3)]
    return (torch.stack(channels, -1) * 255).to(torch.uint8)


def target_renderer(target: Track, generator: Generator) -> Renderer:
    """Renders the target's conditioning images as the generator wants them, on the generator's device."""
    model = load_face_model(target.info.face_model)
    renderer = make_renderer(model, target.actor, target.camera, generator.image_size, generator.conditioning)
    return renderer.to(next(generator.parameters()).device)


def synthesise(
    generator: Generator, target: Track, parameters: FaceParameters, cuts: tuple[int, ...] = (), progress: str | None = None
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """``render_frames`` with a progress bar: yields (frame numbers, frames, pictures of their conditioning) chunk by chunk."""
    with tqdm(total=len(parameters), desc=progress, unit="frame", disable=progress is None) as bar:
        start = 0
        for frames, conditioning in render_frames(generator, target_renderer(target, generator), parameters, cuts):
            yield slice(start, start + len(frames)), frames, conditioning_picture(conditioning, generator.conditioning)
            start += len(frames)
            bar.update(len(frames))


def write_reenactment(
    source: TrackedClip, target: TrackedClip, generator: Generator, output: Path, progress: bool = True, **facts: str
) -> tuple[Path, Path]:
    """Drive the target with the source and write the result with the source's audio and frame rate.

    Args:
        source: who drives.
        target: who is driven; the generator was trained on this clip.
        generator: the target's.
        output: the .mp4 to write.
        progress: whether to show a progress bar.
        **facts: what else the videos' metadata should say.

    Returns:
        The path of the video and of its side-by-side version (driving frame | conditioning | output).
    """
    beside = output.with_name(f"{output.stem}_side_by_side{output.suffix}")
    tags = ai_generated_tags(
        f"{target.track.info.source} reenacted by {source.track.info.source}",
        source_sha256=source.track.info.source_sha256,
        target_sha256=target.track.info.source_sha256,
        **facts,
    )
    parameters = reenact(source.track, target.track)
    with ExitStack() as stack:
        video, pair = (
            stack.enter_context(VideoWriter(path, source.fps, tags=tags, audio_from=source.clip, crf=OUTPUT_CRF))
            for path in (output, beside)
        )
        label = "reenacting" if progress else None
        for numbers, frames, conditioning in synthesise(generator, target.track, parameters, source.track.info.cuts, label):
            driving = source.read(numbers, generator.image_size)
            wide = torch.cat([driving, conditioning, frames], dim=2)
            for frame, row in zip(frames, wide, strict=True):
                video.write(frame)
                pair.write(row)
    return output, beside


def write_self_reenactment(
    target: TrackedClip, frames: range, generator: Generator, output: Path, progress: bool = True, **facts: str
) -> Tensor:
    """Synthesise a run of the target's own frames and write input | conditioning | output | error.

    Returns:
        The synthesised frames, uint8 (N, H, W, 3), for metrics.
    """
    tags = ai_generated_tags(
        f"{target.track.info.source} reenacted by itself", target_sha256=target.track.info.source_sha256, **facts
    )
    parameters = target.track.parameters[frames.start : frames.stop]
    cuts = tuple(cut - frames.start for cut in target.track.info.cuts if cut in frames[1:])
    outputs = []
    with VideoWriter(output, target.fps, tags=tags, crf=OUTPUT_CRF) as video:
        for numbers, made, conditioning in synthesise(
            generator, target.track, parameters, cuts, "held-out frames" if progress else None
        ):
            real = target.read(frames[numbers], generator.image_size)
            for row in torch.cat([real, conditioning, made, error_picture(made, real)], dim=2):
                video.write(row)
            outputs.append(made)
    return torch.cat(outputs)
