"""What stands on the editor's page, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import gradio as gr

from lit_reenact.app.copying import PARTS
from lit_reenact.app.driving import GUARD_LABELS, PRESET_LABELS
from lit_reenact.app.figures import NOTHING
from lit_reenact.app.session import grid
from lit_reenact.edit import GROUPS, Slider

UNITS = {"deg": "°", "mm": "mm", "%": "%", "sd": "standard deviations", "x": "times"}

FEW = 12
"""So many sliders of one kind stand open; more of them are folded away under their common help."""

GROUP_OPEN = "head"
LIGHT = "light"

UPLOAD_HEIGHT = 150
"""Pixels: less, and the label lies on what it is for."""


@dataclass(frozen=True)
class Editor:
    """The parts of the page that events read or change; named as they are on it.

    ``positions`` is not seen: the sliders go where it says (``changes.everything``).
    """

    desk: gr.State
    target: gr.HTML
    result: gr.HTML
    conditioning: gr.HTML
    frame: gr.Slider
    keyframes: gr.HTML
    previous_key: gr.Button
    next_key: gr.Button
    set_key: gr.Button
    delete_key: gr.Button
    sliders: dict[str, gr.Slider]
    positions: gr.JSON
    any_light: gr.Checkbox
    remove_hair: gr.Checkbox
    reset_all: gr.Button
    reset_group: dict[str, gr.Button]
    copy_from: gr.Number
    copy_parts: gr.CheckboxGroup
    copy: gr.Button
    drive_video: gr.File
    drive_track: gr.Textbox
    drive_preset: gr.Dropdown
    drive_guard: gr.Dropdown
    drive: gr.Button
    undrive: gr.Button
    drive_notes: gr.HTML
    original: gr.File
    label: gr.Checkbox
    export: gr.Button
    export_state: gr.HTML
    video: gr.Video
    files: gr.File
    edit_file: gr.File
    load_edit: gr.Button
    run_state: gr.HTML
    run_target: gr.Textbox
    run_checkpoint: gr.Textbox
    open: gr.Button


def build_editor(sliders: Mapping[str, Slider], largest_upload: int, opened: bool) -> Editor:
    """Lay the page out.

    Args:
        sliders: those of the face model.
        largest_upload: MB.
        opened: whether it begins with a run.
    """
    limit = f"at most {largest_upload} MB"
    parts: dict[str, object] = {"desk": gr.State(None), "positions": gr.JSON(visible="hidden")}
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=480, elem_classes="viewer"):
            parts |= _viewer()
        with gr.Column(scale=4, min_width=400, elem_classes="controls"), gr.Tabs(selected="sliders" if opened else "run"):
            with gr.Tab("Sliders", id="sliders"):
                parts |= _sliders(sliders)
            with gr.Tab("Copy", id="copy"):
                parts |= _copying()
            with gr.Tab("Drive", id="drive"):
                parts |= _driving(limit)
            with gr.Tab("Export", id="export"):
                parts |= _export(limit)
            with gr.Tab("Run", id="run"):
                parts |= _run()
    return Editor(**parts)  # type: ignore[arg-type]


def _viewer() -> dict[str, object]:
    empty = NOTHING.format("No run is open.")
    with gr.Row(elem_classes="pictures"):
        target = gr.HTML(empty, elem_classes="picture", min_height=200)
        result = gr.HTML(empty, elem_classes="picture", min_height=200)
    conditioning = gr.HTML("", elem_id="conditioning")
    frame = gr.Slider(0, 1, 0, step=1, label="timeline: frame", elem_id="timeline", buttons=[])
    with gr.Row(elem_classes="tight"):
        previous_key, next_key = gr.Button("Previous keyframe", size="sm"), gr.Button("Next keyframe", size="sm")
        set_key, delete_key = gr.Button("Set keyframe", size="sm"), gr.Button("Delete keyframe", size="sm")
    return {
        "target": target,
        "result": result,
        "conditioning": conditioning,
        "frame": frame,
        "keyframes": gr.HTML("", elem_id="keyframes"),
        "previous_key": previous_key,
        "next_key": next_key,
        "set_key": set_key,
        "delete_key": delete_key,
    }


def _sliders(table: Mapping[str, Slider]) -> dict[str, object]:
    reset_all = gr.Button("Reset all edits", size="sm")
    made: dict[str, gr.Slider] = {}
    resets = {}
    for group in GROUPS:
        rows = [row for row in table.values() if row.group == group]
        with gr.Accordion(group, open=group == GROUP_OPEN):
            kinds = Counter(row.help for row in rows)
            for kind, count in kinds.items():
                alike = [row for row in rows if row.help == kind]
                if count > FEW and len(kinds) > 1:
                    with gr.Accordion(f"{alike[0].label} to {alike[-1].label}", open=False):
                        made |= _slider_rows(alike)
                else:
                    made |= _slider_rows(alike)
            if group == LIGHT:
                any_light = gr.Checkbox(False, label="also light that the training never showed (faces may get spots)")
            resets[group] = gr.Button(f"Reset {group}", size="sm")
    in_order = {name: made[name] for name in table}
    hair = gr.Checkbox(False, label="remove the hair (the first time takes seconds)")
    return {"reset_all": reset_all, "sliders": in_order, "reset_group": resets, "any_light": any_light, "remove_hair": hair}


def _slider_rows(rows: Iterable[Slider]) -> dict[str, gr.Slider]:
    """Sliders; what several of them share of help stands once, above them."""
    rows = list(rows)
    if len(rows) > 1:
        gr.HTML(f'<p class="help">{rows[0].help}</p>')
    return {row.name: _slider(row, rows[0].help if len(rows) == 1 else None) for row in rows}


def _slider(row: Slider, info: str | None) -> gr.Slider:
    low, high, step = grid(row)
    label = f"{row.label} ({UNITS[row.unit]})" if row.unit else row.label
    return gr.Slider(low, high, row.default, step=step, label=label, info=info, elem_id=f"slider-{row.name}", buttons=[])


def _copying() -> dict[str, object]:
    gr.HTML('<p class="help">Moves the sliders so that this frame looks like another one of the video before any edit.</p>')
    return {
        "copy_from": gr.Number(0, label="copy from frame", precision=0, minimum=0),
        "copy_parts": gr.CheckboxGroup(list(PARTS), value=list(PARTS), label="what to copy"),
        "copy": gr.Button("Copy into this frame", variant="primary"),
    }


def _driving(limit: str) -> dict[str, object]:
    gr.HTML(
        '<p class="help">Somebody else performs, the target follows. A video is tracked first, which takes about as long as '
        "<code>lit-reenact track</code>. Drive with people who agreed to it.</p>"
    )
    return {
        "drive_video": gr.File(label=f"driving video ({limit})", file_types=["video"], height=UPLOAD_HEIGHT),
        "drive_track": gr.Textbox(label="or the folder of a track on this computer", max_lines=1),
        "drive_preset": gr.Dropdown([(text, name) for name, text in PRESET_LABELS.items()], value="full", label="what is driven"),
        "drive_guard": gr.Dropdown(
            [(text, mode) for mode, text in GUARD_LABELS.items()], value="warn", label="motion that the training did not show"
        ),
        "drive": gr.Button("Drive the target", variant="primary"),
        "undrive": gr.Button("Back to the target's own video", size="sm"),
        "drive_notes": gr.HTML("", elem_id="drive-notes", min_height=80),
    }


def _export(limit: str) -> dict[str, object]:
    gr.HTML(
        '<p class="help">The video says in its metadata, and in a signed C2PA manifest, that it is AI-generated, from what and '
        "how. <code>lit-reenact verify</code> reads it.</p>"
    )
    label = gr.Checkbox(False, label="also write “AI-generated” into a corner of every frame")
    gr.HTML(
        '<p class="help">With the video that the target\'s track was made of, the face is pasted back into its full frames.</p>'
    )
    original = gr.File(label=f"original video (optional, {limit})", file_types=["video"], height=UPLOAD_HEIGHT)
    export = gr.Button("Export video and edit file", variant="primary")
    state = gr.HTML("", elem_id="export-state", min_height=80)
    video = gr.Video(label="exported video", interactive=False, visible=False, height=260)
    files = gr.File(label="download", file_count="multiple", interactive=False, visible=False)
    with gr.Accordion("Load an edit file", open=False):
        edit_file = gr.File(
            label=f"edit file, YAML or JSON ({limit})", file_types=[".yaml", ".yml", ".json"], height=UPLOAD_HEIGHT
        )
        load_edit = gr.Button("Load in place of all sliders and keyframes")
    return {
        "label": label,
        "original": original,
        "export": export,
        "export_state": state,
        "video": video,
        "files": files,
        "edit_file": edit_file,
        "load_edit": load_edit,
    }


def _run() -> dict[str, object]:
    gr.HTML('<p class="help">A run is what <code>lit-reenact fit</code> wrote; paths are those of this computer.</p>')
    return {
        "run_state": gr.HTML(NOTHING.format("No run is open."), elem_id="run-state"),
        "run_checkpoint": gr.Textbox(label="run folder, or a checkpoint of it", max_lines=1),
        "run_target": gr.Textbox(label="folder of the target's track (a run folder knows it)", max_lines=1),
        "open": gr.Button("Open", variant="primary"),
    }
