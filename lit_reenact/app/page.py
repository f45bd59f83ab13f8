"""The whole page, served to this machine alone, without a request to anywhere else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import torch

from lit_reenact.app.editor import build_editor
from lit_reenact.app.events import connect_session
from lit_reenact.app.file_events import connect_driving, connect_files, connect_opening
from lit_reenact.app.preview import make_preview
from lit_reenact.app.runs import OpenRun
from lit_reenact.app.session import EditingSession
from lit_reenact.app.tracking_tab import build_tracking
from lit_reenact.core.errors import ReenactError
from lit_reenact.edit import sliders_of
from lit_reenact.face import load_face_model

HOST = "127.0.0.1"
STYLE = Path(__file__).with_name("page.css")
SCRIPT = Path(__file__).with_name("page.js")

HEADER = """<header><h1>lit_reenact</h1><p>Edit and drive videos of people <strong>who agreed to it</strong>. Every video that is
exported here is labelled and signed as AI-generated.</p></header>"""


@dataclass(frozen=True)
class PageSettings:
    """Settings of the page.

    Attributes:
        run: run that the page begins with; None for none.
        tracks: folder for tracks that are made on the page.
        largest_upload: largest size of an uploaded file, MB.
        device: device on which networks run.
        port: port of the server; None for the first free one from 7860 on.
    """

    run: OpenRun | None = None
    tracks: Path = Path("outputs/tracks")
    largest_upload: int = 500
    device: torch.device | str = "cpu"
    port: int | None = None


def build_page(settings: PageSettings) -> gr.Blocks:
    """Build the page with everything on it."""
    run = settings.run
    model = load_face_model("builtin") if run is None else run.model
    page = gr.Blocks(title="lit_reenact", analytics_enabled=False, fill_width=True)
    with page:
        gr.HTML(HEADER)
        with gr.Tabs():
            with gr.Tab("Edit a video"):
                editor = build_editor(sliders_of(model), settings.largest_upload, opened=run is not None)
            with gr.Tab("Track a video"):
                build_tracking(settings.tracks, model.name, settings.largest_upload)
        connect_session(editor, page, run)
        connect_files(editor)
        connect_driving(editor, settings.tracks)
        connect_opening(editor, model, settings.device)
    return page


def _theme() -> gr.themes.Base:
    """Return Gradio's own theme with the fonts of the machine, and greys that are dark enough to read."""
    return gr.themes.Default(font="system-ui", font_mono="monospace").set(
        body_text_color_subdued="*neutral_600", block_title_text_color="*neutral_700", block_label_text_color="*neutral_700"
    )


@contextmanager
def serve(settings: PageSettings) -> Iterator[str]:
    """Serve the page in threads of this process; yield its address. Uploads and exports are deleted afterwards.

    Raises:
        ReenactError: the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="lit-reenact-app-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        if settings.run is not None:
            make_preview(EditingSession.begin(settings.run))  # the first preview takes longest: do it before anybody waits
        page = build_page(settings)
        try:
            _, address, _ = page.launch(
                server_name=HOST,
                server_port=settings.port,
                share=False,
                ssr_mode=False,
                quiet=True,
                inbrowser=False,
                prevent_thread_lock=True,
                footer_links=[],
                max_file_size=f"{settings.largest_upload}mb",
                css_paths=STYLE,
                js=SCRIPT.read_text(encoding="utf-8"),
                theme=_theme(),
            )
        except OSError as error:
            raise ReenactError(f"the page cannot be served on port {settings.port}: choose another with --port") from error
        try:
            yield address
        finally:
            page.close(verbose=False)
