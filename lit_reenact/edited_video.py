"""A person's own clip, edited: from a track and an edit to the finished video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lit_reenact.edit import Edit, apply_edit, neck_of
from lit_reenact.errors import ReenactError
from lit_reenact.face import load_face_model
from lit_reenact.guard import GuardReport, guard
from lit_reenact.hair_removal import HairRemover
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import Ingredient, Model, Record, generated_video
from lit_reenact.reenactment import OUTPUT_CRF, FullFrame, TrackedClip, labelled, write_video
from lit_reenact.schema import FaceParameters

AT_ONCE = 8
"""Frames whose hair is removed at once, where no network makes them."""


@dataclass(frozen=True)
class Shown:
    """How an edited clip is shown.

    Attributes:
        original: the video that the track was made of, to paste the result back into its full frames; None: the crop alone.
        label: say in a corner of every frame that it is AI-generated.
        progress: whether to show a progress bar.
    """

    original: Path | None = None
    label: bool = False
    progress: bool = True


def write_edited(
    target: TrackedClip,
    edit: Edit,
    output: Path,
    generator: Generator | None = None,
    checkpoint: Path | None = None,
    shown: Shown | None = None,
) -> GuardReport:
    """Edit a clip and write what comes of it, with the clip's own sound.

    Args:
        target: the clip.
        edit: what to do.
        output: the .mp4 to write.
        generator: trained on the clip. Without it the real frames are kept, and hair is all that can be edited.
        checkpoint: the generator's file, for the record.
        shown: see there.

    Returns:
        Which of the edited parameters the generator's training did not show.

    Raises:
        ReenactError: sliders are moved without a generator, there is nothing to do at all, or as ``Edit.values``, ``FullFrame``
            and ``write_video``.
    """
    shown = shown or Shown()
    track = target.track
    model = load_face_model(track.info.face_model)
    parameters, report = guard(apply_edit(edit, track.parameters, model, target.fps, neck_of(track)), track)
    if generator is None and edit.tracks:
        raise ReenactError(
            "without --checkpoint the frames stay as they are, and hair is all that can be edited: give a checkpoint"
        )
    if generator is None and not edit.remove_hair:
        raise ReenactError("there is nothing to edit: give --edit, --set or --remove-hair")
    size = track.camera.width if generator is None else generator.image_size
    remover = HairRemover(model, track, target.frames, size) if edit.remove_hair else None
    paste = None if shown.original is None else FullFrame(track, shown.original, range(len(track)))
    record = Record(
        title=f"{track.info.source} edited",
        ingredients=(Ingredient.of(track, "target"),),
        model=None if checkpoint is None else Model.of(checkpoint),
        settings={"edits": edit.as_dict()},
        composite=paste is not None or generator is None,
    )
    if generator is None:
        assert remover is not None
        with generated_video(output, target.fps, record, audio_from=target.clip, crf=OUTPUT_CRF) as video:
            under = None if paste is None else paste.frames(0)
            for crop in _without_hair(target, parameters, remover):
                frame = crop.numpy() if paste is None or under is None else paste.paste(crop.numpy(), next(under))
                video.write(labelled(frame) if shown.label else frame)
        return report
    write_video(
        parameters,
        target,
        generator,
        output,
        fps=target.fps,
        record=record,
        audio_from=target.clip,
        cuts=track.info.cuts,
        paste=paste,
        retouch=None if remover is None else lambda numbers, frames: remover(frames, parameters[numbers]),
        driving=lambda numbers: target.read(numbers, size),
        label=shown.label,
        progress="editing" if shown.progress else None,
    )
    return report


def _without_hair(target: TrackedClip, parameters: FaceParameters, remover: HairRemover) -> Iterator[Tensor]:
    """The real frames of a clip, uint8 (H, W, 3) each."""
    for start in range(0, len(parameters), AT_ONCE):
        numbers = slice(start, start + AT_ONCE)
        yield from remover(target.read(numbers, target.track.camera.width), parameters[numbers])
