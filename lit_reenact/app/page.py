"""The whole page, and how it is served: to this machine alone, without a request to anywhere else."""

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
from lit_reenact.app.events import connect
from lit_reenact.app.preview import preview
from lit_reenact.app.runs import OpenRun
from lit_reenact.app.session import Session, own_performance
from lit_reenact.app.tracking_tab import build_tracking
from lit_reenact.core.errors import ReenactError
from lit_reenact.edit import sliders_of
from lit_reenact.face import load_face_model

HOST = "127.0.0.1"
STYLE = Path(__file__).with_name("page.css")
SCRIPT = Path(__file__).with_name("page.js")

HEADER = """<header><h1>lit_reenact</h1><p>Edits and drives videos of people <strong>who agreed to it</strong>. Everything that is
exported here is labelled and signed as AI-generated.</p></header>"""


@dataclass(frozen=True)
class PageSettings:
    """What the page is served with.

    Attributes:
        run: that it begins with; None for none.
        tracks: folder for tracks that are made on the page.
        largest_upload: MB that a file may have to be taken.
        device: where networks run.
        port: None for the first free one from Gradio's 7860 on.
    """

    run: OpenRun | None = None
    tracks: Path = Path("outputs/tracks")
    largest_upload: int = 500
    device: torch.device | str = "cpu"
    port: int | None = None


def build_page(settings: PageSettings) -> gr.Blocks:
    """The page with everything on it."""
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
        connect(editor, page, run, model, settings.tracks, settings.device)
    return page


def _theme() -> gr.themes.Base:
    """Gradio's own with the fonts of the machine, and greys that are dark enough to read."""
    return gr.themes.Default(font="system-ui", font_mono="monospace").set(
        body_text_color_subdued="*neutral_600", block_title_text_color="*neutral_700", block_label_text_color="*neutral_700"
    )


@contextmanager
def served(settings: PageSettings) -> Iterator[str]:
    """Serve the page in threads of this process; gives its address. What people upload and export is gone afterwards.

    Raises:
        ReenactError: the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="lit-reenact-app-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        if settings.run is not None:
            preview(Session(settings.run, own_performance(settings.run)))  # the first one takes longest: nobody shall wait for it
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
