"""A person's clip, edited, as it was filmed or driven by somebody: from a track and an edit to the finished video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters
from lit_reenact.edit import Edit, apply_sliders, hold_light, neck_of
from lit_reenact.face import load_face_model
from lit_reenact.guard import guard
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import Ingredient, Model, Record, generated_video
from lit_reenact.synthesis import OUTPUT_CRF, FullFrame, labelled, write_video
from lit_reenact.synthesis.full_frame import there_and_back
from lit_reenact.synthesis.hair import HairRemover
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import TransferPolicy, at_rate, held_frames, transfer, transferred_cuts

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


@dataclass(frozen=True)
class Performance:
    """What a face does before it is edited, at its own clip's frame rate.

    Attributes:
        clip: who performs: the target itself, or somebody who drives it.
        parameters: of the T frames.
        cuts: the first frame after every cut.
        policy: what drives what; None for the target as it was filmed.
    """

    clip: TrackedClip
    parameters: FaceParameters
    cuts: tuple[int, ...]
    policy: TransferPolicy | None = None


def performance(target: TrackedClip, source: TrackedClip | None = None, policy: TransferPolicy | None = None) -> Performance:
    """The target as it was filmed, or as a source drives it under a policy.

    Raises:
        ReenactError: as ``transfer``.
    """
    if policy is None:
        return Performance(target, target.track.parameters, target.track.info.cuts)
    driving = None if source is None else at_rate(source.track, target.fps)
    parameters = transfer(driving, target.track, policy)
    clip = target if source is None or not policy.needs_source else source
    return Performance(clip, parameters, transferred_cuts(driving, target.track, policy), policy)


def write_edited(
    target: TrackedClip,
    edit: Edit,
    output: Path,
    generator: Generator | None = None,
    checkpoint: Path | None = None,
    shown: Shown | None = None,
    before: Performance | None = None,
    any_light: bool = False,
) -> tuple[str, ...]:
    """Edit a clip and write what comes of it, with the sound of who performs.

    Args:
        target: the clip.
        edit: what to do.
        output: the .mp4 to write.
        generator: trained on the clip. Without it the real frames are kept, and hair is all that can be edited.
        checkpoint: the generator's file, for the record.
        shown: see there.
        before: what is edited; without it, the target as it was filmed.
        any_light: whether the light may be what the training never showed (``hold_light``).

    Returns:
        Sentences about what the training did not show.

    Raises:
        ReenactError: there is no generator for moved sliders or a source, there is nothing to do at all, or as ``Edit.values``,
            ``FullFrame`` and ``write_video``.
    """
    shown, before, track = shown or Shown(), before or performance(target), target.track
    if generator is None and (edit.tracks or before.policy is not None):
        raise ReenactError(
            "without --checkpoint the frames stay as they are, and hair is all that can be edited: give a checkpoint"
        )
    if generator is None and not edit.remove_hair:
        raise ReenactError("there is nothing to edit: give --edit, --set or --remove-hair")
    model, count = load_face_model(track.info.face_model), len(before.parameters)
    asked = edit.values(count, target.fps)
    values, held = (asked, ()) if any_light else hold_light(asked, before.parameters, track)
    edited = apply_sliders(values, before.parameters, model, neck_of(track), track.actor)
    parameters, report = guard(edited, track, fps=target.fps)
    told = (*held, *report.to_text().splitlines())
    size = track.camera.width if generator is None else generator.image_size
    remover = HairRemover(model, track, target.frames, size) if edit.remove_hair else None
    paste = None if shown.original is None else FullFrame(track, shown.original, there_and_back(count, len(track)))
    record = _record(target, edit, before, checkpoint, any_light, composite=paste is not None or generator is None)
    if generator is None:
        assert remover is not None
        with generated_video(output, target.fps, record, audio_from=target.clip, crf=OUTPUT_CRF) as video:
            under = None if paste is None else paste.frames(0)
            for crop in _without_hair(target, parameters, remover):
                frame = crop.numpy() if paste is None or under is None else paste.paste(crop.numpy(), next(under))
                video.write(labelled(frame) if shown.label else frame)
        return told
    performed = held_frames(len(before.clip.track), before.clip.fps, target.fps)
    write_video(
        parameters,
        target,
        generator,
        output,
        fps=target.fps,
        record=record,
        audio_from=before.clip.clip,
        cuts=before.cuts,
        paste=paste,
        retouch=None if remover is None else lambda numbers, frames: remover(frames, parameters[numbers]),
        driving=lambda numbers: before.clip.read(performed[numbers], size),
        label=shown.label,
        progress="editing" if shown.progress else None,
    )
    return told


def _record(
    target: TrackedClip, edit: Edit, before: Performance, checkpoint: Path | None, any_light: bool, composite: bool
) -> Record:
    source = target.track.info.source
    title, ingredients = f"{source} edited", [Ingredient.of(target.track, "target")]
    settings: dict[str, Any] = {"edits": edit.as_dict(), "any_light": any_light}
    if before.policy is not None:
        settings["policy"] = before.policy.to_dict()
    if before.clip is not target:
        title += f", driven by {before.clip.track.info.source}"
        ingredients.append(Ingredient.of(before.clip.track, "source"))
    model = None if checkpoint is None else Model.of(checkpoint)
    return Record(title=title, ingredients=tuple(ingredients), model=model, settings=settings, composite=composite)


def _without_hair(target: TrackedClip, parameters: FaceParameters, remover: HairRemover) -> Iterator[Tensor]:
    """The real frames of a clip, uint8 (H, W, 3) each."""
    for start in range(0, len(parameters), AT_ONCE):
        numbers = slice(start, start + AT_ONCE)
        yield from remover(target.read(numbers, target.track.camera.width), parameters[numbers])
