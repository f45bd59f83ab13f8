"""The second tab: track an uploaded video, and see the report."""

from __future__ import annotations

from html import escape
from pathlib import Path

import gradio as gr

from lit_reenact.app.driving import track_upload
from lit_reenact.app.handlers import TRACKING, report_errors
from lit_reenact.app.panels import UPLOAD_HEIGHT
from lit_reenact.app.uploads import check_video
from lit_reenact.tracking.report import REPORT_NAME

SIZES = (128, 256, 512)


def build_tracking(tracks: Path, face_model: str, largest_upload: int) -> None:
    """Lay the tab out and connect its events.

    Args:
        tracks: folder for the tracks.
        face_model: name of the face model to fit.
        largest_upload: largest size of an uploaded file, MB.
    """
    gr.HTML(
        f'<p class="help">The face model is fitted to a video of one person; its track goes into '
        f"<code>{escape(str(tracks))}</code>. A track is what a network is trained on, and what drives one.</p>"
    )
    with gr.Row():
        video = gr.File(label=f"video to track (at most {largest_upload} MB)", file_types=["video"], height=UPLOAD_HEIGHT)
        with gr.Column():
            size = gr.Dropdown(list(SIZES), value=256, label="side of the working clip (pixels)")
            start = gr.Button("Start tracking", variant="primary")
    state = gr.HTML("", elem_id="tracking-state", min_height=80)
    report = gr.HTML("", elem_id="tracking-report")

    def track(upload: str | None, side: int, progress: gr.Progress = gr.Progress(track_tqdm=True)) -> tuple[str, str]:  # noqa: B008
        clip = track_upload(check_video(upload), tracks, face_model, side)
        page = (clip.folder / REPORT_NAME).read_text(encoding="utf-8")
        folder = escape(str(clip.folder))
        next_command = f"lit-reenact fit --config configs/portrait.yaml --track {folder}"
        sentence = f"<p>Tracked {len(clip.track)} frames into <code>{folder}</code>. To train: <code>{next_command}</code></p>"
        frame = f'<iframe title="report of the tracking" sandbox srcdoc="{escape(page)}"></iframe>'
        return sentence, frame

    handler = report_errors(track)
    start.click(handler, [video, size], [state, report], api_visibility="private", show_progress_on=state, **TRACKING)
