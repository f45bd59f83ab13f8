"""A video plan to the finished video: generated, pasted back, labelled, with sound and signature, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.schema import Track
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import code_version, make_signer
from lit_reenact.synthesis.generated_frames import synthesise
from lit_reenact.synthesis.label import add_label
from lit_reenact.synthesis.resumable_writer import ResumableWriter
from lit_reenact.synthesis.video_plan import VideoPlan, side_by_side_path
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video import read_tags

KEY_TAG = "keywords"
"""mp4 tag that holds the digest of everything a video was made of. Of the few names that mp4 knows this one is free."""

OUTPUT_CRF = 10
"""x264 quality of generated videos. At 128 pixels the usual 17 blurs lips, and a generated mouth is tracked less accurately."""

Retouch = Callable[[slice, Tensor], Tensor]
"""Function that changes the frames, uint8 (N, S, S, 3), with the given numbers before they are pasted or written."""

DrivingFrames = Callable[[slice], Tensor]
"""Function that returns the driving frames, uint8 (N, S, S, 3), with the given numbers."""


def write_video(
    plan: VideoPlan,
    target: TrackedClip,
    generator: Generator,
    *,
    retouch: Retouch | None = None,
    driving: DrivingFrames | None = None,
    keep_finished: bool = False,
    progress: str | None = None,
) -> None:
    """Generate, finish and sign a video; every video that a network makes ends here.

    Frames are generated and written a few at a time, so memory does not grow with their number. After a kill, the same call
    continues with the last whole piece and gives the same video (``ResumableWriter``).

    Args:
        plan: what the video shows and says. A video that was begun with another plan is begun again.
        target: clip and track of the person to be shown.
        generator: network trained on the target's clip.
        retouch: changes frames before they are pasted or written; None leaves them.
        driving: returns the driving frames; they are then shown in a second video beside conditioning and output
            (``side_by_side_path``). None writes no second video.
        keep_finished: leave a finished video with the same plan as it is instead of writing it again.
        progress: words before the progress bar; None for no bar.

    Raises:
        ReenactError: the video cannot be written or signed.
    """
    key = _key(plan, target.track, generator)
    paths = [plan.path] if driving is None else [plan.path, side_by_side_path(plan.path)]
    if keep_finished and all(_is_finished(path, key) for path in paths):
        return
    open_writer = partial(
        ResumableWriter,
        fps=plan.fps,
        total=len(plan.parameters),
        key=key,
        tags={**plan.record.tags(), KEY_TAG: key},
        audio_from=plan.audio_from,
        crf=OUTPUT_CRF,
        finish=make_signer(plan.record),
    )
    with ExitStack() as stack:
        writers = [stack.enter_context(open_writer(path)) for path in paths]
        first = _resume_together(writers)
        finish = plan.finisher(first)
        for numbers, generated, conditioning in synthesise(generator, target.track, plan.parameters, plan.cuts, progress, first):
            frames = generated if retouch is None else retouch(numbers, generated)
            for crop in frames.numpy():
                writers[0].write(finish(crop))
            if driving is not None:
                for row in torch.cat([driving(numbers), conditioning, frames], dim=2).numpy():
                    writers[1].write(add_label(row) if plan.label else row)


def _is_finished(path: Path, key: str) -> bool:
    return path.is_file() and read_tags(path).get(KEY_TAG) == key


def _resume_together(writers: Sequence[ResumableWriter]) -> int:
    """Let all writers continue at the frame that every one of them has reached, and return its number."""
    first = min(writer.frame_count for writer in writers)
    for writer in writers:
        writer.resume_at(first)
    return first


def _key(plan: VideoPlan, target: Track, generator: Generator) -> str:
    """Return a digest of everything that the frames of a video depend on."""
    full_frames = [] if plan.full_frames is None else list(plan.full_frames.numbers)
    facts = (plan.record.tags(), str(plan.fps), str(plan.audio_from), plan.label, full_frames)
    digest = sha256(json.dumps([code_version(), target.info.source_sha256, asdict(target.camera), facts]).encode())
    weights = generator.state_dict()
    for tensor in (*vars(plan.parameters).values(), *vars(target.actor).values(), *(weights[name] for name in sorted(weights))):
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
