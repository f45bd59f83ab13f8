"""What happens on the editor's page when somebody does something."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import torch

from lit_reenact.app.changes import Changes, begin, everything, go_on
from lit_reenact.app.desk import Desk
from lit_reenact.app.driving import driven, tracked
from lit_reenact.app.editor import Editor
from lit_reenact.app.export import export
from lit_reenact.app.runs import OpenRun, open_run
from lit_reenact.app.session import Session, own_performance
from lit_reenact.app.told import told
from lit_reenact.app.uploads import called_by_its_name, checked_video
from lit_reenact.core.errors import ReenactError
from lit_reenact.edit import read_edit
from lit_reenact.face import FaceModel
from lit_reenact.guard import GuardMode
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import PRESETS

LOOKING: dict[str, Any] = {"concurrency_id": "looking", "concurrency_limit": 2, "show_progress": "hidden"}
EXPORTING: dict[str, Any] = {"concurrency_id": "exporting", "concurrency_limit": 2}
TRACKING: dict[str, Any] = {"concurrency_id": "tracking", "concurrency_limit": 1}
"""Which events wait for each other, of all people together. Tracks go into folders named after their videos: one at a time."""

Step = Callable[..., Session]
"""A session, and what was given on the page, to the next session."""


def connect(
    editor: Editor, page: gr.Blocks, run: OpenRun | None, model: FaceModel, tracks: Path, device: torch.device | str
) -> None:
    """Give every control of the page its meaning.

    Args:
        editor: the controls.
        page: that they stand on.
        run: that every new page begins with; None for none.
        model: the face model that the sliders are of.
        tracks: folder for the tracks of driving videos.
        device: where networks run.
    """

    def arrived() -> Changes:
        if run is None:
            return {editor.desk: Desk()}
        session = Session(run, own_performance(run))
        return {editor.desk: Desk(session), **begin(editor, session)}

    page.load(told(arrived), None, everything(editor), api_visibility="private", **LOOKING)
    _connect_sliders(editor)
    _connect_keyframes(editor)
    _connect_files(editor)
    _connect_driving(editor, tracks)
    _connect_opening(editor, model, device)


def _connect_sliders(editor: Editor) -> None:
    def moved(name: str, desk: Desk, value: float) -> Changes:
        with desk.lock:
            before = desk.session
            desk.session = before.moved({name: value})
            changes = go_on(editor, before, desk.session)
            changes.pop(editor.positions, None)  # the slider is there already
            return changes

    for name, slider in editor.sliders.items():
        _live(slider, partial(moved, name), [editor.desk, slider], [editor.result, editor.conditioning, editor.keyframes])
    editor.positions.change(None, editor.positions, list(editor.sliders.values()), js="([, ...values]) => values")

    def looked(desk: Desk, frame: float) -> Changes:
        with desk.lock:
            before = desk.session
            desk.session = before.at(round(frame))
            changes = go_on(editor, before, desk.session)
            changes.pop(editor.frame, None)  # likewise
            return changes

    _live(editor.frame, looked, [editor.desk, editor.frame], everything(editor))
    _on(editor, editor.remove_hair.input, lambda session, remove: replace(session, remove_hair=remove), editor.remove_hair)
    _on(editor, editor.any_light.input, lambda session, allowed: replace(session, any_light=allowed), editor.any_light)
    _on(editor, editor.reset_all.click, Session.reset)
    for group, button in editor.reset_group.items():
        _on(editor, button.click, partial(Session.reset, group=group))
    _on(
        editor,
        editor.copy.click,
        lambda session, frame, parts: session.copied(int(frame or 0), parts),
        editor.copy_from,
        editor.copy_parts,
    )


def _connect_keyframes(editor: Editor) -> None:
    def earlier(session: Session) -> Session:
        return session.at(max((f for f in session.keyframes() if f < session.frame), default=session.frame))

    def later(session: Session) -> Session:
        return session.at(min((f for f in session.keyframes() if f > session.frame), default=session.frame))

    _on(editor, editor.previous_key.click, earlier)
    _on(editor, editor.next_key.click, later)
    _on(editor, editor.set_key.click, Session.with_keyframe)
    _on(editor, editor.delete_key.click, Session.without_keyframe)


def _connect_files(editor: Editor) -> None:
    def exported(desk: Desk, original: str | None, label: bool, progress: gr.Progress = gr.Progress()) -> Changes:  # noqa: B008
        session = desk.session  # what is changed from now on is not in the video
        folder = Path(tempfile.mkdtemp(prefix="export-", dir=tempfile.gettempdir()))
        progress(0.0, desc="making frames")
        video, edit = export(
            session,
            folder,
            None if original is None else checked_video(original),
            label,
            lambda share: progress(share, desc="making frames"),
        )
        return {
            editor.export_state: f"<p>{len(session.performance)} frames, signed.</p>",
            editor.video: gr.Video(str(video), visible=True),
            editor.files: gr.File([str(video), str(edit)], visible=True),
        }

    def loaded(session: Session, file: str | None) -> Session:
        if file is None:
            raise ReenactError("choose an edit file first")
        with called_by_its_name(Path(file)):
            return session.loaded(read_edit(Path(file), session.run.model))

    inputs = [editor.desk, editor.original, editor.label]
    outputs, shown_on = [editor.export_state, editor.video, editor.files], editor.export_state
    editor.export.click(told(exported), inputs, outputs, api_visibility="private", show_progress_on=shown_on, **EXPORTING)
    _on(editor, editor.load_edit.click, loaded, editor.edit_file)


def _connect_driving(editor: Editor, tracks: Path) -> None:
    def drive(
        desk: Desk,
        video: str | None,
        folder: str,
        preset: str,
        mode: GuardMode,
        progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008
    ) -> Changes:
        run, policy, source = desk.session.run, PRESETS[preset], None
        if policy.needs_source and video is not None:
            source = tracked(checked_video(video), tracks, run.target.track.info.face_model)
        elif policy.needs_source and folder.strip():
            source = TrackedClip.load(Path(folder.strip()))
        performance = driven(run, source, policy, mode)
        with desk.lock:
            desk.session = desk.session.performed(performance)
            return begin(editor, desk.session)

    def undrive(desk: Desk) -> Changes:
        with desk.lock:
            desk.session = desk.session.performed(own_performance(desk.session.run))
            return begin(editor, desk.session)

    inputs = [editor.desk, editor.drive_video, editor.drive_track, editor.drive_preset, editor.drive_guard]
    outputs = everything(editor)
    editor.drive.click(told(drive), inputs, outputs, api_visibility="private", show_progress_on=editor.drive_notes, **TRACKING)
    editor.undrive.click(told(undrive), editor.desk, outputs, api_visibility="private", **LOOKING)


def _connect_opening(editor: Editor, model: FaceModel, device: torch.device | str) -> None:
    def opened(desk: Desk, checkpoint: str, target: str) -> Changes:
        if not checkpoint.strip():
            raise ReenactError("name the folder of a run, or a checkpoint")
        run = open_run(Path(target.strip()) if target.strip() else None, Path(checkpoint.strip()), device)
        if run.model.hash != model.hash:
            raise ReenactError(
                f"{run.target.track.info.source} was tracked with the face model {run.model.name}, but the sliders of this page "
                f"are those of {model.name}: start `lit-reenact app` with this run"
            )
        with desk.lock:
            desk.session = Session(run, own_performance(run))
            return begin(editor, desk.session)

    inputs = [editor.desk, editor.run_checkpoint, editor.run_target]
    editor.open.click(told(opened), inputs, everything(editor), api_visibility="private", **LOOKING)


def _live(slider: gr.Slider, handler: Callable[..., Changes], inputs: list[Any], outputs: list[Any]) -> None:
    """While a slider moves: of the places that it passes as one picture is made, only the last counts."""
    slider.input(told(handler), inputs, outputs, trigger_mode="always_last", api_visibility="private", **LOOKING)


def _on(editor: Editor, event: Callable[..., Any], step: Step, *inputs: Any) -> None:
    """Something that takes the session one step further."""

    def happened(desk: Desk, *given: Any) -> Changes:
        with desk.lock:
            before = desk.session
            desk.session = step(before, *given)
            return go_on(editor, before, desk.session)

    event(told(happened), [editor.desk, *inputs], everything(editor), api_visibility="private", **LOOKING)
