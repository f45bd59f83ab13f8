"""The editor: the panels of the page, and where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr

from lit_reenact.app.panels import CopyPanel, DrivePanel, ExportPanel, RunPanel, ViewerPanel
from lit_reenact.app.slider_panel import SliderPanel
from lit_reenact.edit import Slider


@dataclass(frozen=True)
class Editor:
    """The parts of the page that events read or change.

    Attributes:
        state: the ``PageState`` of each page.
        positions: invisible; the sliders go to the positions in it (``changes.all_outputs``).
        viewer: pictures, timeline and keyframes.
        sliders: sliders and switches.
        copying: copying the look of another frame.
        driving: driving by another video.
        exporting: export, and edit files.
        run: opening another run.
    """

    state: gr.State
    positions: gr.JSON
    viewer: ViewerPanel
    sliders: SliderPanel
    copying: CopyPanel
    driving: DrivePanel
    exporting: ExportPanel
    run: RunPanel


def build_editor(sliders: Mapping[str, Slider], largest_upload: int, opened: bool) -> Editor:
    """Lay the page out.

    Args:
        sliders: sliders of the face model, by name.
        largest_upload: largest size of an uploaded file, MB.
        opened: True if the page begins with an open run.
    """
    limit = f"at most {largest_upload} MB"
    state, positions = gr.State(None), gr.JSON(visible="hidden")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=480, elem_classes="viewer"):
            viewer = ViewerPanel.build()
        with gr.Column(scale=4, min_width=400, elem_classes="controls"), gr.Tabs(selected="sliders" if opened else "run"):
            with gr.Tab("Sliders", id="sliders"):
                slider_panel = SliderPanel.build(sliders)
            with gr.Tab("Copy", id="copy"):
                copying = CopyPanel.build()
            with gr.Tab("Drive", id="drive"):
                driving = DrivePanel.build(limit)
            with gr.Tab("Export", id="export"):
                exporting = ExportPanel.build(limit)
            with gr.Tab("Run", id="run"):
                run = RunPanel.build()
    return Editor(state, positions, viewer, slider_panel, copying, driving, exporting, run)
