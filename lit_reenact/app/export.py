"""Export of a session: the signed video, and its edit file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from lit_reenact.app.session import EditingSession
from lit_reenact.app.uploads import safe_name
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.edit import write_edit
from lit_reenact.provenance import Ingredient, Model, Record
from lit_reenact.synthesis import FullFrames, VideoPlan, write_video
from lit_reenact.synthesis.full_frames import there_and_back
from lit_reenact.synthesis.video_plan import video_files
from lit_reenact.tracking.trackfile import track_files
from lit_reenact.video import FrameReader


def export(
    session: EditingSession,
    folder: Path,
    original: Path | None = None,
    label: bool = False,
    report_progress: Callable[[float], None] | None = None,
) -> tuple[Path, Path]:
    """Write the video and the edit file of a session.

    Args:
        session: the session.
        folder: folder for both files.
        original: the video that the target's track was made of, to paste the face back into its full frames; None for the crop.
        label: True to write into every frame that it is AI-generated.
        report_progress: function called with the finished share, in [0, 1].

    Returns:
        The paths of the .mp4 and of the .yaml.

    Raises:
        ReenactError: ``original`` is another video, or a file cannot be written or would overwrite an input.
    """
    _refuse_lost_inputs(session, folder, original)
    run, performance, count = session.run, session.performance, len(session.performance)
    edit = write_edit_file(session, folder)
    full_frames = None
    if original is not None:
        full_frames = FullFrames(run.target.track, original, there_and_back(count, len(run.target.track)))

    edited = session.edit_frames(0, count)

    def finish(numbers: slice, frames: Tensor) -> Tensor:
        if report_progress is not None:
            report_progress(numbers.stop / count)
        return run.without_hair(frames, edited[numbers]) if session.remove_hair else frames

    video = edit.with_suffix(".mp4")
    plan = VideoPlan(
        video,
        run.target.fps,
        edited,
        record=make_record(session, composite=original is not None),
        cuts=performance.cuts,
        audio_from=(performance.source or run.target).clip,
        full_frames=full_frames,
        label=label,
    )
    target = replace(run.target, frames=FrameReader(run.target.clip))  # a reader of its own: others read frames meanwhile
    write_video(plan, target, run.generator, retouch=finish)
    return video, edit


def write_edit_file(session: EditingSession, folder: Path) -> Path:
    """Write the edit file, a .yaml named after the target; return its path."""
    path = _edit_file(session, folder)
    write_edit(session.to_edit(), path)
    return path


def _edit_file(session: EditingSession, folder: Path) -> Path:
    return folder / f"{safe_name(session.run.target.track.info.source)}-edited.yaml"


def _refuse_lost_inputs(session: EditingSession, folder: Path, original: Path | None) -> None:
    edit = _edit_file(session, folder)
    clips = [clip for clip in (session.run.target, session.performance.source) if clip is not None]
    inputs = [original, session.run.checkpoint, *(file for clip in clips for file in track_files(clip.folder))]
    refuse_overwriting([edit, *video_files(edit.with_suffix(".mp4"))], inputs, option="TMPDIR")


def make_record(session: EditingSession, composite: bool) -> Record:
    """Return the provenance record of the exported video."""
    target, performance = session.run.target.track, session.performance
    driver = "" if performance.source is None else f", driven by {performance.source.track.info.source}"
    ingredients = [Ingredient.of(target, "target")]
    if performance.source is not None:
        ingredients.append(Ingredient.of(performance.source.track, "source"))
    settings: dict[str, Any] = {"edits": session.to_edit().as_dict(), "any_light": session.any_light}
    if performance.policy is not None:
        settings |= {"policy": performance.policy.to_dict(), "guard": performance.guard}
    return Record(
        f"{target.info.source} edited{driver}", tuple(ingredients), Model.of(session.run.checkpoint), settings, composite
    )
