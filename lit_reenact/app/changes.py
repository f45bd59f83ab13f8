"""From one session to the next: which parts of the page change, and to what."""

from __future__ import annotations

from time import monotonic_ns
from typing import Any

import gradio as gr

from lit_reenact.app.editor import Editor
from lit_reenact.app.figures import conditioning_view, keyframe_list, performance_notes, result_view, run_notes, target_view
from lit_reenact.app.preview import preview
from lit_reenact.app.session import Session

Changes = dict[Any, Any]
"""Parts of the page with what they shall show; the others stay as they are."""


def everything(editor: Editor) -> list[Any]:
    """All parts that a change of the session may reach. The sliders follow ``positions``.

    The browser looks after every part that an event may change, changed or not: with all sliders among them, that takes it
    longer than the network takes for a frame.
    """
    pictures = [editor.target, editor.result, editor.conditioning]
    return [
        editor.desk,
        editor.frame,
        *pictures,
        editor.keyframes,
        editor.drive_notes,
        *_switches(editor),
        editor.run_state,
        editor.positions,
    ]


def begin(editor: Editor, session: Session) -> Changes:
    """What a page is told that shows no session, or one of another run or performance."""
    last = len(session.performance) - 1
    return {
        **_made(editor, session),
        editor.positions: _positions(session),
        editor.frame: gr.Slider(value=session.frame, maximum=last, label=f"timeline: frame (0 to {last})"),
        editor.target: target_view(session),
        editor.keyframes: keyframe_list(session),
        editor.drive_notes: performance_notes(session),
        editor.run_state: run_notes(session),
        **_switched(editor, session),
    }


def go_on(editor: Editor, before: Session, after: Session) -> Changes:
    """What a page is told that shows the session before, for one of the same performance."""
    told = _made(editor, after)
    if after.values() != before.values():
        told[editor.positions] = _positions(after)
    if after.frame != before.frame:
        told |= {editor.frame: after.frame, editor.target: target_view(after)}
    if _switched(editor, after) != _switched(editor, before):
        told |= _switched(editor, after)
    if after.keyframes() != before.keyframes():
        told[editor.keyframes] = keyframe_list(after)
    return told


def _made(editor: Editor, session: Session) -> Changes:
    made = preview(session)
    return {editor.result: result_view(session, made), editor.conditioning: conditioning_view(session, made)}


def _switches(editor: Editor) -> list[Any]:
    return [editor.remove_hair, editor.any_light]


def _switched(editor: Editor, session: Session) -> Changes:
    return dict(zip(_switches(editor), (session.remove_hair, session.any_light), strict=True))


def _positions(session: Session) -> list[float]:
    """Where the sliders shall stand, after a number that never comes again: sliders may have been moved by hand meanwhile."""
    return [monotonic_ns(), *session.values().values()]
