"""Events of the editor's page: sliders, timeline, keyframes, copying."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr

from lit_reenact.app.changes import Changes, all_outputs, show_session, show_step
from lit_reenact.app.editor import Editor
from lit_reenact.app.handlers import VIEWING, PageState, report_errors
from lit_reenact.app.runs import OpenRun
from lit_reenact.app.session import EditingSession

Step = Callable[..., EditingSession]
"""Function of a session, and of values on the page, that returns the next session."""


def connect_session(editor: Editor, page: gr.Blocks, run: OpenRun | None) -> None:
    """Connect everything that changes the session step by step.

    Args:
        editor: controls of the page.
        page: the page.
        run: run that every new page begins with; None for none.
    """

    def arrive() -> Changes:
        if run is None:
            return {editor.state: PageState()}
        session = EditingSession.begin(run)
        return {editor.state: PageState(session), **show_session(editor, session)}

    page.load(report_errors(arrive), None, all_outputs(editor), api_visibility="private", **VIEWING)
    _connect_sliders(editor)
    _connect_timeline(editor)
    _connect_keyframes(editor)
    _connect_buttons(editor)


def connect_step(editor: Editor, event: Callable[..., Any], step: Step, *inputs: Any) -> None:
    """Connect an event that takes the session one step further.

    Args:
        editor: controls of the page.
        event: event listener of a control, such as ``button.click``.
        step: function from the session and the values of ``inputs`` to the next session.
        inputs: controls whose values ``step`` takes.
    """

    def handle(state: PageState, *values: Any) -> Changes:
        return _take_step(editor, state, lambda session: step(session, *values))

    event(report_errors(handle), [editor.state, *inputs], all_outputs(editor), api_visibility="private", **VIEWING)


def _take_step(editor: Editor, state: PageState, step: Step) -> Changes:
    with state.lock:
        before = state.session
        state.session = step(before)
        return show_step(editor, before, state.session)


def _connect_live(slider: gr.Slider, handler: Callable[..., Changes], inputs: list[Any], outputs: list[Any]) -> None:
    """Connect a slider while it moves: of the positions that it passes while a picture is generated, only the last one counts."""
    slider.input(report_errors(handler), inputs, outputs, trigger_mode="always_last", api_visibility="private", **VIEWING)


def _connect_sliders(editor: Editor) -> None:
    def move(name: str, state: PageState, value: float) -> Changes:
        changes = _take_step(editor, state, lambda session: session.move({name: value}))
        changes.pop(editor.positions, None)  # the slider is there already
        return changes

    sliders, viewer = editor.sliders.sliders, editor.viewer
    for name, slider in sliders.items():
        _connect_live(slider, partial(move, name), [editor.state, slider], [viewer.result, viewer.conditioning, viewer.keyframes])
    editor.positions.change(None, editor.positions, list(sliders.values()), js="([, ...values]) => values")


def _connect_timeline(editor: Editor) -> None:
    def go_to(state: PageState, frame: float) -> Changes:
        changes = _take_step(editor, state, lambda session: session.go_to(round(frame)))
        changes.pop(editor.viewer.frame, None)  # the timeline is there already
        return changes

    _connect_live(editor.viewer.frame, go_to, [editor.state, editor.viewer.frame], all_outputs(editor))


def _connect_keyframes(editor: Editor) -> None:
    def go_back(session: EditingSession) -> EditingSession:
        return session.go_to(max((f for f in session.keyframes() if f < session.frame), default=session.frame))

    def go_on(session: EditingSession) -> EditingSession:
        return session.go_to(min((f for f in session.keyframes() if f > session.frame), default=session.frame))

    connect_step(editor, editor.viewer.previous_key.click, go_back)
    connect_step(editor, editor.viewer.next_key.click, go_on)
    connect_step(editor, editor.viewer.set_key.click, EditingSession.set_keyframe)
    connect_step(editor, editor.viewer.delete_key.click, EditingSession.delete_keyframe)


def _connect_buttons(editor: Editor) -> None:
    panel, copying = editor.sliders, editor.copying
    connect_step(editor, panel.remove_hair.input, lambda session, on: replace(session, remove_hair=on), panel.remove_hair)
    connect_step(editor, panel.any_light.input, lambda session, on: replace(session, any_light=on), panel.any_light)
    connect_step(editor, panel.reset_all.click, EditingSession.reset)
    for group, button in panel.reset_group.items():
        connect_step(editor, button.click, partial(EditingSession.reset, group=group))

    def copy(session: EditingSession, frame: float | None, parts: list[Any]) -> EditingSession:
        return session.copy_from(int(frame or 0), parts)

    connect_step(editor, copying.copy.click, copy, copying.frame, copying.parts)
