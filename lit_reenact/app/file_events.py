"""Events of the editor's page that read or write files: export, edit files, driving videos, runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import gradio as gr
import torch

from lit_reenact.app.changes import Changes, all_outputs, show_session
from lit_reenact.app.driving import drive_target, track_upload
from lit_reenact.app.editor import Editor
from lit_reenact.app.events import connect_step
from lit_reenact.app.export import export
from lit_reenact.app.handlers import EXPORTING, TRACKING, VIEWING, PageState, report_errors
from lit_reenact.app.performance import UneditedPerformance
from lit_reenact.app.runs import open_run
from lit_reenact.app.session import EditingSession
from lit_reenact.app.uploads import check_video, name_upload_in_errors
from lit_reenact.core.errors import ReenactError
from lit_reenact.edit import read_edit
from lit_reenact.face import FaceModel
from lit_reenact.guard import GuardMode
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import PRESETS


def connect_files(editor: Editor) -> None:
    """Connect the export of a session, and the loading of an edit file."""
    panel = editor.exporting

    def handle_export(state: PageState, original: str | None, label: bool, progress: gr.Progress = gr.Progress()) -> Changes:  # noqa: B008
        session = state.session  # later changes of the page are not in the video
        folder = Path(tempfile.mkdtemp(prefix="export-", dir=tempfile.gettempdir()))

        def report_progress(share: float) -> None:
            progress(share, desc="generating frames")

        report_progress(0.0)
        video, edit = export(session, folder, None if original is None else check_video(original), label, report_progress)
        return {
            panel.notes: f"<p>{len(session.performance)} frames, signed.</p>",
            panel.video: gr.Video(str(video), visible=True),
            panel.files: gr.File([str(video), str(edit)], visible=True),
        }

    def load(session: EditingSession, file: str | None) -> EditingSession:
        if file is None:
            raise ReenactError("choose an edit file first")
        with name_upload_in_errors(Path(file)):
            return session.load(read_edit(Path(file), session.run.model))

    inputs, outputs = [editor.state, panel.original, panel.label], [panel.notes, panel.video, panel.files]
    handler = report_errors(handle_export)
    panel.export.click(handler, inputs, outputs, api_visibility="private", show_progress_on=panel.notes, **EXPORTING)
    connect_step(editor, panel.load_edit.click, load, panel.edit_file)


def connect_driving(editor: Editor, tracks: Path) -> None:
    """Connect the driving of the target by another video.

    Args:
        editor: controls of the page.
        tracks: folder for the tracks of driving videos.
    """

    def drive(
        state: PageState,
        video: str | None,
        folder: str,
        preset: str,
        mode: GuardMode,
        progress: gr.Progress = gr.Progress(track_tqdm=True),  # noqa: B008
    ) -> Changes:
        run, policy, source = state.session.run, PRESETS[preset], None
        if policy.needs_source and video is not None:
            source = track_upload(check_video(video), tracks, run.target.track.info.face_model)
        elif policy.needs_source and folder.strip():
            source = TrackedClip.load(Path(folder.strip()))
        performance = drive_target(run, source, policy, mode)
        with state.lock:
            return _show(editor, state, state.session.perform(performance))

    def undo(state: PageState) -> Changes:
        with state.lock:
            return _show(editor, state, state.session.perform(UneditedPerformance.of_target(state.session.run)))

    panel, outputs = editor.driving, all_outputs(editor)
    inputs = [editor.state, panel.video, panel.track, panel.preset, panel.guard]
    handler = report_errors(drive)
    panel.drive.click(handler, inputs, outputs, api_visibility="private", show_progress_on=panel.notes, **TRACKING)
    panel.undo.click(report_errors(undo), editor.state, outputs, api_visibility="private", **VIEWING)


def connect_opening(editor: Editor, model: FaceModel, device: torch.device | str) -> None:
    """Connect the opening of another run.

    Args:
        editor: controls of the page.
        model: face model of the page's sliders.
        device: device on which networks run.
    """

    def handle_open(state: PageState, checkpoint: str, target: str) -> Changes:
        if not checkpoint.strip():
            raise ReenactError("name the folder of a run, or a checkpoint")
        run = open_run(Path(target.strip()) if target.strip() else None, Path(checkpoint.strip()), device)
        if run.model.hash != model.hash:
            raise ReenactError(
                f"{run.target.track.info.source} was tracked with the face model {run.model.name}, but the sliders of this page "
                f"are those of {model.name}: start `lit-reenact app` with this run"
            )
        with state.lock:
            return _show(editor, state, EditingSession.begin(run))

    panel = editor.run
    inputs = [editor.state, panel.checkpoint, panel.target]
    panel.open.click(report_errors(handle_open), inputs, all_outputs(editor), api_visibility="private", **VIEWING)


def _show(editor: Editor, state: PageState, session: EditingSession) -> Changes:
    state.session = session
    return show_session(editor, session)
