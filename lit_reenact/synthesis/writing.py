"""Parameters to a finished video: synthesised, pasted back, labelled, with its sound and signature, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction
from functools import partial
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.face import load_face_model
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import Record, code_version, signer
from lit_reenact.rendering.renderer import Renderer, make_renderer
from lit_reenact.synthesis.full_frame import FullFrame
from lit_reenact.synthesis.inference import render_frames
from lit_reenact.synthesis.label import labelled
from lit_reenact.synthesis.pictures import conditioning_picture
from lit_reenact.synthesis.resumable_writer import PiecewiseWriter, pieces_folder
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video.io import read_tags

KEY_TAG = "keywords"
"""The tag in which a video has the digest of what it was made of; mp4 knows few names, and this one is free."""

OUTPUT_CRF = 10
"""x264's quality of what is synthesised. At 128 pixels the usual 17 blurs lips: a mouth that opens is found again less surely."""


def target_renderer(target: Track, generator: Generator) -> Renderer:
    """Renders the target's conditioning images as the generator wants them, on the generator's device."""
    model = load_face_model(target.info.face_model)
    renderer = make_renderer(model, target.actor, target.camera, generator.image_size, generator.conditioning)
    return renderer.to(next(generator.parameters()).device)


def synthesise(
    generator: Generator,
    target: Track,
    parameters: FaceParameters,
    cuts: tuple[int, ...] = (),
    progress: str | None = None,
    first: int = 0,
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """``render_frames`` with a progress bar: yields (frame numbers, frames, pictures of their conditioning) chunk by chunk."""
    with tqdm(total=len(parameters), initial=first, desc=progress, unit=" frames", disable=progress is None) as bar:
        start = first
        for frames, conditioning in render_frames(generator, target_renderer(target, generator), parameters, cuts, first=first):
            yield slice(start, start + len(frames)), frames, conditioning_picture(conditioning, generator.conditioning)
            start += len(frames)
            bar.update(len(frames))


Retouch = Callable[[slice, Tensor], Tensor]
"""Frame numbers and frames, uint8 (N, S, S, 3), to as many frames."""


def write_video(
    parameters: FaceParameters,
    target: TrackedClip,
    generator: Generator,
    output: Path,
    *,
    fps: Fraction,
    record: Record,
    audio_from: Path | None = None,
    cuts: tuple[int, ...] = (),
    paste: FullFrame | None = None,
    retouch: Retouch | None = None,
    driving: Callable[[slice], Tensor] | None = None,
    label: bool = False,
    keep: bool = False,
    progress: str | None = None,
) -> None:
    """Make a finished video of parameters; whatever makes a video ends here.

    Frames are made and written a few at a time, so memory does not grow with their number. Should it be killed, the same call
    goes on where it was, with the same result (``pieces.PiecewiseWriter``).

    Args:
        parameters: of every frame of the video.
        target: whose network the generator is.
        generator: trained on the target's clip.
        output: the .mp4 to write.
        fps: frames per second of the video.
        record: how it is made, for its metadata and signature; a video that was begun with another record is begun again.
        audio_from: file whose sound is carried over; without sound if None.
        cuts: the first frame after every cut; windows do not reach over one.
        paste: puts the frames back into the full frames of the original; without it the video shows the crop alone.
        retouch: changes frames before they are pasted or written.
        driving: gives the frames, uint8 (N, S, S, 3), that the numbered frames were driven by; they are then shown in a second
            video beside the conditioning and the output (``beside``).
        label: whether every frame shall say in a corner that it is AI-generated.
        keep: leave a finished video as it is that was made of the same; otherwise it is made again.
        progress: what stands before the progress bar; None for no bar.

    Raises:
        ReenactError: the video cannot be written or signed.
        ValueError: ``paste`` knows of another number of frames.
    """
    if paste is not None and len(paste) != len(parameters):
        raise ValueError(f"{len(paste)} full frames for {len(parameters)} frames")
    facts = (record.tags(), str(fps), str(audio_from), label, [] if paste is None else list(paste.numbers))
    key = _key(parameters, target.track, generator, *facts)
    paths = [output] if driving is None else [output, beside(output)]
    if keep and all(path.is_file() and read_tags(path).get(KEY_TAG) == key for path in paths):
        return
    write = partial(
        PiecewiseWriter,
        fps=fps,
        total=len(parameters),
        key=key,
        tags={**record.tags(), KEY_TAG: key},
        audio_from=audio_from,
        crf=OUTPUT_CRF,
        finish=signer(record),
    )
    with ExitStack() as stack:
        video, *others = (stack.enter_context(write(path)) for path in paths)
        first = min(writer.frame_count for writer in (video, *others))
        for writer in (video, *others):
            writer.begin_at(first)
        under = None if paste is None else paste.frames(first)
        for numbers, made, conditioning in synthesise(generator, target.track, parameters, cuts, progress, first):
            frames = made if retouch is None else retouch(numbers, made)
            for crop in frames:
                frame = crop.numpy() if paste is None or under is None else paste.paste(crop.numpy(), next(under))
                video.write(labelled(frame) if label else frame)
            for pair in others:
                assert driving is not None
                for row in torch.cat([driving(numbers), conditioning, frames], dim=2):
                    pair.write(labelled(row.numpy()) if label else row.numpy())


def beside(output: Path) -> Path:
    """Where the side-by-side version of a video lies: driving frame | conditioning | output."""
    return output.with_name(f"{output.stem}_side_by_side{output.suffix}")


def written_files(output: Path) -> list[Path]:
    """All that ``write_video`` writes for a video."""
    return [path for video in (output, beside(output)) for path in (video, pieces_folder(video))]


def _key(parameters: FaceParameters, target: Track, generator: Generator, *facts: object) -> str:
    """A digest of all that the frames of a video depend on."""
    digest = sha256(json.dumps([code_version(), target.info.source_sha256, asdict(target.camera), facts]).encode())
    weights = generator.state_dict()
    for tensor in (*vars(parameters).values(), *vars(target.actor).values(), *(weights[name] for name in sorted(weights))):
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
