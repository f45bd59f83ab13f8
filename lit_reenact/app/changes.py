"""Updates of the page from one session to the next: which parts change, and to what."""

from __future__ import annotations

from time import monotonic_ns
from typing import Any

import gradio as gr

from lit_reenact.app.editor import Editor
from lit_reenact.app.figures import conditioning_view, keyframe_list, performance_notes, result_view, run_notes, target_view
from lit_reenact.app.preview import make_preview
from lit_reenact.app.session import EditingSession

Changes = dict[Any, Any]
"""Part of the page to its new content; other parts stay as they are."""


def all_outputs(editor: Editor) -> list[Any]:
    """Return all parts of the page that a change of the session can reach. The sliders follow ``positions``.

    The browser updates every output of an event, changed or not. With all sliders among the outputs, that would take longer than
    the network takes for a frame.
    """
    viewer = editor.viewer
    pictures = [viewer.target, viewer.result, viewer.conditioning]
    notes = [viewer.keyframes, editor.driving.notes, editor.run.notes]
    return [editor.state, viewer.frame, *pictures, *notes, *_switches(editor), editor.positions]


def show_session(editor: Editor, session: EditingSession) -> Changes:
    """Return the changes for a page that shows no session, or one of another run or performance."""
    last = len(session.performance) - 1
    return {
        **_show_preview(editor, session),
        editor.positions: _positions(session),
        editor.viewer.frame: gr.Slider(value=session.frame, maximum=last, label=f"timeline: frame (0 to {last})"),
        editor.viewer.target: target_view(session),
        editor.viewer.keyframes: keyframe_list(session),
        editor.driving.notes: performance_notes(session),
        editor.run.notes: run_notes(session),
        **_show_switches(editor, session),
    }


def show_step(editor: Editor, before: EditingSession, after: EditingSession) -> Changes:
    """Return the changes for a page that shows the session before, for a session of the same performance."""
    changes = _show_preview(editor, after)
    if after.values() != before.values():
        changes[editor.positions] = _positions(after)
    if after.frame != before.frame:
        changes |= {editor.viewer.frame: after.frame, editor.viewer.target: target_view(after)}
    if _show_switches(editor, after) != _show_switches(editor, before):
        changes |= _show_switches(editor, after)
    if after.keyframes() != before.keyframes():
        changes[editor.viewer.keyframes] = keyframe_list(after)
    return changes


def _show_preview(editor: Editor, session: EditingSession) -> Changes:
    preview = make_preview(session)
    return {
        editor.viewer.result: result_view(session, preview),
        editor.viewer.conditioning: conditioning_view(session, preview),
    }


def _switches(editor: Editor) -> list[Any]:
    return [editor.sliders.remove_hair, editor.sliders.any_light]


def _show_switches(editor: Editor, session: EditingSession) -> Changes:
    return dict(zip(_switches(editor), (session.remove_hair, session.any_light), strict=True))


def _positions(session: EditingSession) -> list[float]:
    """Return the positions of all sliders after a unique number: a slider may have been moved by hand in the meantime."""
    return [monotonic_ns(), *session.values().values()]
