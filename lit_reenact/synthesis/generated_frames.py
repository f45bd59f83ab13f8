"""Face parameters to generated frames, chunk by chunk, with pictures of their conditioning and a progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.core.schema import FaceParameters, ReferenceMaps, References, Track
from lit_reenact.face import load_face_model
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.references import place_references, prepare_key_frames
from lit_reenact.rendering.reference_maps import ReferenceWarp
from lit_reenact.rendering.renderer import Renderer, make_renderer
from lit_reenact.synthesis.inference import PlaceReferences, render_frames
from lit_reenact.synthesis.pictures import conditioning_picture


class Chunk(NamedTuple):
    """N consecutive generated frames.

    Attributes:
        numbers: positions of the frames in the video, counted from 0.
        frames: generated frames, uint8 (N, S, S, 3).
        conditioning: pictures of the conditioning for people, uint8 (N, S, S, 3).
    """

    numbers: slice
    frames: Tensor
    conditioning: Tensor


def target_renderer(target: Track, generator: Generator) -> Renderer:
    """Return the renderer of the target's conditioning images, of the kinds and size that the generator takes, on its device."""
    model = load_face_model(target.info.face_model)
    renderer = make_renderer(model, target.actor, target.camera, generator.image_size, generator.conditioning)
    return renderer.to(next(generator.parameters()).device)


def target_references(target: Track, generator: Generator) -> PlaceReferences | None:
    """Return the function that places the target's key frames for a generator, on its device; None if it takes none."""
    key_frames = generator.key_frames
    if key_frames is None:
        return None
    device, size = next(generator.parameters()).device, generator.image_size
    model = load_face_model(target.info.face_model)
    warp = ReferenceWarp(model, target.actor, target.camera, key_frames.parameters)
    images = prepare_key_frames(key_frames.images, size)[None].to(device)

    def place(parameters: FaceParameters) -> References:
        maps = ReferenceMaps(*(values.to(device) for values in warp(parameters)))
        samples = len(parameters)
        present = torch.ones(samples, len(key_frames), dtype=torch.bool, device=device)
        return place_references(images, torch.zeros(samples, dtype=torch.int64, device=device), maps, present, size)

    return place


def synthesise(
    generator: Generator,
    target: Track,
    parameters: FaceParameters,
    cuts: tuple[int, ...] = (),
    progress: str | None = None,
    first: int = 0,
) -> Iterator[Chunk]:
    """Generate the frames of the target with given face parameters, in order and in constant memory.

    Args:
        generator: network trained on the target's clip.
        target: track of the person to be shown.
        parameters: face parameters of all T frames of the video.
        cuts: first frame after every cut; no window reaches over one.
        progress: words before the progress bar; None for no bar.
        first: frame to begin with, in [0, T]; the frames are those of a run from frame 0, bit for bit.

    Raises:
        ReenactError: the conditioning images have another size than the generator was trained on.

    Example:
        >>> for chunk in synthesise(generator, target.track, target.track.parameters):
        ...     show(chunk.frames)
    """
    with tqdm(total=len(parameters), initial=first, desc=progress, unit=" frames", disable=progress is None) as bar:
        start = first
        renderer, references = target_renderer(target, generator), target_references(target, generator)
        for frames, conditioning in render_frames(generator, renderer, parameters, cuts, first=first, references=references):
            numbers = slice(start, start + len(frames))
            yield Chunk(numbers, frames, conditioning_picture(conditioning, generator.conditioning))
            start = numbers.stop
            bar.update(len(frames))
