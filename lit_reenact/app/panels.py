"""The panels of the editor besides the sliders: viewer, copy, drive, export, run."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from lit_reenact.app.copying import PARTS
from lit_reenact.app.driving import GUARD_LABELS, PRESET_LABELS
from lit_reenact.app.figures import NOTHING

UPLOAD_HEIGHT = 150
"""Height of an upload field, pixels; in a lower field the label covers the text."""


@dataclass(frozen=True)
class ViewerPanel:
    """Pictures of the frame in view, the timeline and the keyframes."""

    target: gr.HTML
    result: gr.HTML
    conditioning: gr.HTML
    frame: gr.Slider
    previous_key: gr.Button
    next_key: gr.Button
    set_key: gr.Button
    delete_key: gr.Button
    keyframes: gr.HTML

    @classmethod
    def build(cls) -> ViewerPanel:
        """Lay the panel out."""
        empty = NOTHING.format("No run is open.")
        with gr.Row(elem_classes="pictures"):
            target = gr.HTML(empty, elem_classes="picture", min_height=200)
            result = gr.HTML(empty, elem_classes="picture", min_height=200)
        conditioning = gr.HTML("", elem_id="conditioning")
        frame = gr.Slider(0, 1, 0, step=1, label="timeline: frame", elem_id="timeline", buttons=[])
        with gr.Row(elem_classes="tight"):
            names = ("Previous keyframe", "Next keyframe", "Set keyframe", "Delete keyframe")
            previous_key, next_key, set_key, delete_key = (gr.Button(name, size="sm") for name in names)
        keyframes = gr.HTML("", elem_id="keyframes")
        return cls(target, result, conditioning, frame, previous_key, next_key, set_key, delete_key, keyframes)


@dataclass(frozen=True)
class CopyPanel:
    """Copying the look of another frame."""

    frame: gr.Number
    parts: gr.CheckboxGroup
    copy: gr.Button

    @classmethod
    def build(cls) -> CopyPanel:
        """Lay the panel out."""
        gr.HTML('<p class="help">Moves the sliders so that this frame looks like another frame of the unedited video.</p>')
        return cls(
            frame=gr.Number(0, label="copy from frame", precision=0, minimum=0),
            parts=gr.CheckboxGroup(list(PARTS), value=list(PARTS), label="what to copy"),
            copy=gr.Button("Copy into this frame", variant="primary"),
        )


@dataclass(frozen=True)
class DrivePanel:
    """Driving the target by another video."""

    video: gr.File
    track: gr.Textbox
    preset: gr.Dropdown
    guard: gr.Dropdown
    drive: gr.Button
    undo: gr.Button
    notes: gr.HTML

    @classmethod
    def build(cls, limit: str) -> DrivePanel:
        """Lay the panel out; ``limit`` is the largest size of an upload, in words."""
        gr.HTML(
            '<p class="help">Another person performs, the target follows. A video is tracked first, which takes about as long as '
            "<code>lit-reenact track</code>. Drive with videos of people who agreed to it.</p>"
        )
        presets = [(text, name) for name, text in PRESET_LABELS.items()]
        guards = [(text, mode) for mode, text in GUARD_LABELS.items()]
        return cls(
            video=gr.File(label=f"driving video ({limit})", file_types=["video"], height=UPLOAD_HEIGHT),
            track=gr.Textbox(label="or the folder of a track on this computer", max_lines=1),
            preset=gr.Dropdown(presets, value="full", label="what is driven"),
            guard=gr.Dropdown(guards, value="warn", label="motion that the training did not show"),
            drive=gr.Button("Drive the target", variant="primary"),
            undo=gr.Button("Back to the target's own video", size="sm"),
            notes=gr.HTML("", elem_id="drive-notes", min_height=80),
        )


@dataclass(frozen=True)
class ExportPanel:
    """Export of the video and the edit file; loading an edit file."""

    label: gr.Checkbox
    original: gr.File
    export: gr.Button
    notes: gr.HTML
    video: gr.Video
    files: gr.File
    edit_file: gr.File
    load_edit: gr.Button

    @classmethod
    def build(cls, limit: str) -> ExportPanel:
        """Lay the panel out; ``limit`` is the largest size of an upload, in words."""
        gr.HTML(
            '<p class="help">The video says in its metadata, and in a signed C2PA manifest, that it is AI-generated, from which '
            "videos and how. <code>lit-reenact verify</code> reads it.</p>"
        )
        label = gr.Checkbox(False, label="also write “AI-generated” into a corner of every frame")
        gr.HTML('<p class="help">If you give the video that was tracked, the face is pasted back into its full frames.</p>')
        original = gr.File(label=f"original video (optional, {limit})", file_types=["video"], height=UPLOAD_HEIGHT)
        export = gr.Button("Export video and edit file", variant="primary")
        notes = gr.HTML("", elem_id="export-state", min_height=80)
        video = gr.Video(label="exported video", interactive=False, visible=False, height=260)
        files = gr.File(label="download", file_count="multiple", interactive=False, visible=False)
        with gr.Accordion("Load an edit file", open=False):
            edit_label, edit_types = f"edit file, YAML or JSON ({limit})", [".yaml", ".yml", ".json"]
            edit_file = gr.File(label=edit_label, file_types=edit_types, height=UPLOAD_HEIGHT)
            load_edit = gr.Button("Load in place of all sliders and keyframes")
        return cls(label, original, export, notes, video, files, edit_file, load_edit)


@dataclass(frozen=True)
class RunPanel:
    """Opening another run."""

    notes: gr.HTML
    checkpoint: gr.Textbox
    target: gr.Textbox
    open: gr.Button

    @classmethod
    def build(cls) -> RunPanel:
        """Lay the panel out."""
        gr.HTML('<p class="help">A run is a folder that <code>lit-reenact fit</code> wrote; paths are on this computer.</p>')
        return cls(
            notes=gr.HTML(NOTHING.format("No run is open."), elem_id="run-state"),
            checkpoint=gr.Textbox(label="run folder, or one of its checkpoints", max_lines=1),
            target=gr.Textbox(label="folder of the target's track (not needed with a run folder)", max_lines=1),
            open=gr.Button("Open", variant="primary"),
        )
