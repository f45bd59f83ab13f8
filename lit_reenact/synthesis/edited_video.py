"""A person's clip, edited, as it was filmed or as somebody drives it: a track and an edit to the finished video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters, KeyFrames
from lit_reenact.edit import Edit, apply_sliders, hold_light, neck_of
from lit_reenact.face import load_face_model
from lit_reenact.guard import guard
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import Ingredient, Model, Record, open_generated_video
from lit_reenact.synthesis.base_performance import BasePerformance, base_performance
from lit_reenact.synthesis.full_frames import FullFrames, there_and_back
from lit_reenact.synthesis.video_plan import VideoPlan
from lit_reenact.synthesis.writing import OUTPUT_CRF, write_video
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import frames_at_rate

if TYPE_CHECKING:
    from lit_reenact.synthesis.hair import HairRemover

BATCH = 8
"""Recorded frames whose hair is removed at a time."""


@dataclass(frozen=True)
class EditSettings:
    """The limits of an edit, and the form of its video.

    Attributes:
        original: video that the track was made from, to paste the result back into its full frames; None shows the crop alone.
        label: say in a corner of every frame that it is AI-generated.
        any_light: allow light that the training frames never showed; False limits it (``edit.hold_light``).
        progress: show a progress bar.
    """

    original: Path | None = None
    label: bool = False
    any_light: bool = False
    progress: bool = True


def write_edited(
    target: TrackedClip,
    edit: Edit,
    output: Path,
    generator: Generator | None = None,
    checkpoint: Path | None = None,
    settings: EditSettings | None = None,
    performance: BasePerformance | None = None,
) -> tuple[str, ...]:
    """Edit a clip and write the video, with the performer's sound.

    Args:
        target: clip and track of the person to be shown.
        edit: slider values over time, and whether the hair is removed.
        output: the .mp4 to write.
        generator: network trained on the target's clip. None keeps the recorded frames, whose hair alone can be edited.
        checkpoint: file of the generator, for the record; None if there is none.
        settings: limits of the edit and form of the video; None for the defaults.
        performance: motion to be edited; None for the target as it was filmed.

    Returns:
        Sentences about what the training frames did not show.

    Raises:
        ReenactError: sliders or a source need a generator and there is none, nothing is edited at all, a slider's value is
            wrong, ``settings.original`` is not the target's video, or the video cannot be written.

    Example:
        >>> target = TrackedClip.load(Path("tracks/target"))
        >>> edit = Edit({"head_yaw": SliderTrack(keys=((0.0, 10.0),))})
        >>> write_edited(target, edit, Path("out.mp4"), load_generator(checkpoint))
    """
    settings, performance = settings or EditSettings(), performance or base_performance(target)
    _check_request(edit, performance, generator)
    parameters, warnings = _edit_parameters(
        target, edit, performance, settings.any_light, None if generator is None else generator.key_frames
    )
    composite = settings.original is not None or generator is None
    record = _record(target, edit, performance, checkpoint, settings, composite)
    full_frames = None
    if settings.original is not None:
        full_frames = FullFrames(target.track, settings.original, there_and_back(len(parameters), len(target.track)))
    plan = VideoPlan(output, target.fps, parameters, record, performance.cuts, performance.clip.clip, full_frames, settings.label)
    size = target.track.camera.width if generator is None else generator.image_size
    remover = _load_hair_remover(target, size) if edit.remove_hair else None
    if generator is not None:
        _write_generated(plan, target, generator, performance, remover, settings.progress)
    elif remover is not None:
        _write_recorded(plan, target, remover)
    return warnings


def _check_request(edit: Edit, performance: BasePerformance, generator: Generator | None) -> None:
    if generator is not None:
        return
    if edit.tracks or performance.policy is not None:
        raise ReenactError(
            "without --checkpoint the frames stay as they are, and hair is all that can be edited: give a checkpoint"
        )
    if not edit.remove_hair:
        raise ReenactError("there is nothing to edit: give --edit, --set or --remove-hair")


def _edit_parameters(
    target: TrackedClip, edit: Edit, performance: BasePerformance, any_light: bool, key_frames: KeyFrames | None
) -> tuple[FaceParameters, tuple[str, ...]]:
    """Apply the sliders to a performance; return the parameters, and sentences about what the training frames did not show."""
    track, model = target.track, load_face_model(target.track.info.face_model)
    wanted = edit.values(len(performance.parameters), target.fps)
    values, limited = (wanted, ()) if any_light else hold_light(wanted, performance.parameters, track)
    edited = apply_sliders(values, performance.parameters, model, neck_of(track), track.actor)
    parameters, report = guard(edited, track, fps=target.fps, key_frames=key_frames)
    return parameters, (*limited, *report.to_text().splitlines())


def _load_hair_remover(target: TrackedClip, size: int) -> HairRemover:
    from lit_reenact.synthesis.hair import HairRemover  # loads what only hair removal needs

    return HairRemover(load_face_model(target.track.info.face_model), target.track, target.frames, size)


def _write_generated(
    plan: VideoPlan,
    target: TrackedClip,
    generator: Generator,
    performance: BasePerformance,
    remover: HairRemover | None,
    progress: bool,
) -> None:
    clip = performance.clip
    clip_frames = frames_at_rate(len(clip.track), clip.fps, plan.fps)
    write_video(
        plan,
        target,
        generator,
        retouch=None if remover is None else lambda numbers, frames: remover(frames, plan.parameters[numbers]),
        driving=lambda numbers: clip.read(clip_frames[numbers], generator.image_size),
        progress="editing" if progress else None,
    )


def _write_recorded(plan: VideoPlan, target: TrackedClip, remover: HairRemover) -> None:
    finish = plan.finisher()
    with open_generated_video(plan.path, plan.fps, plan.record, audio_from=plan.audio_from, crf=OUTPUT_CRF) as video:
        for crop in _remove_hair(target, plan.parameters, remover):
            video.write(finish(crop.numpy()))


def _remove_hair(target: TrackedClip, parameters: FaceParameters, remover: HairRemover) -> Iterator[Tensor]:
    """Yield the recorded frames of a clip without hair, uint8 (H, W, 3)."""
    for start in range(0, len(parameters), BATCH):
        numbers = slice(start, start + BATCH)
        yield from remover(target.read(numbers, target.track.camera.width), parameters[numbers])


def _record(
    target: TrackedClip,
    edit: Edit,
    performance: BasePerformance,
    checkpoint: Path | None,
    settings: EditSettings,
    composite: bool,
) -> Record:
    source = target.track.info.source
    title, ingredients = f"{source} edited", [Ingredient.of(target.track, "target")]
    facts: dict[str, Any] = {"edits": edit.as_dict(), "any_light": settings.any_light}
    if performance.policy is not None:
        facts["policy"] = performance.policy.to_dict()
    if performance.clip is not target:
        title += f", driven by {performance.clip.track.info.source}"
        ingredients.append(Ingredient.of(performance.clip.track, "source"))
    model = None if checkpoint is None else Model.of(checkpoint)
    return Record(title=title, ingredients=tuple(ingredients), model=model, settings=facts, composite=composite)
