"""Events of the page, fired without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lit_reenact.app.runs import OpenRun
from lit_reenact.edit import sliders_of, write_edit

gr = pytest.importorskip("gradio")
from lit_reenact.app.editor import Editor, build_editor  # noqa: E402
from lit_reenact.app.events import connect_session  # noqa: E402
from lit_reenact.app.file_events import connect_driving, connect_files, connect_opening  # noqa: E402
from lit_reenact.app.handlers import PageState  # noqa: E402

Fire = Callable[..., Any]


@pytest.fixture
def editor(run: OpenRun) -> Editor:
    with gr.Blocks():
        return build_editor(sliders_of(run.model), 1, opened=True)


@pytest.fixture
def fire(run: OpenRun, editor: Editor, tmp_path: Path) -> Fire:
    """Function that fires a control's event with the values of its inputs and checks that only its outputs change."""
    with gr.Blocks() as page:
        connect_session(editor, page, run)
        connect_files(editor)
        connect_driving(editor, tmp_path)
        connect_opening(editor, run.model, "cpu")

    def fire(control: Any, event: str, *values: Any) -> Any:
        (block,) = [one for one in page.fns.values() if (control._id, event) in one.targets and one.fn is not None]
        changes = block.fn(*values)
        assert changes.keys() <= set(block.outputs)
        return changes

    fire.page = page  # type: ignore[attr-defined]
    return fire


@pytest.fixture
def state(fire: Any, editor: Editor) -> PageState:
    changes = fire(fire.page, "load")
    assert "frame 0" in changes[editor.viewer.result]
    state: PageState = changes[editor.state]
    return state


def test_a_slider_moves_the_face_and_not_itself(fire: Fire, editor: Editor, state: PageState) -> None:
    slider = editor.sliders.sliders["head_yaw"]
    changes = fire(slider, "input", state, 10.0)
    assert changes.keys() == {editor.viewer.result, editor.viewer.conditioning}
    assert state.session.values()["head_yaw"] == 10


def test_keyframes_are_set_visited_and_deleted(fire: Fire, editor: Editor, state: PageState) -> None:
    viewer = editor.viewer
    with pytest.raises(gr.Error, match="move one first"):
        fire(viewer.set_key, "click", state)
    fire(editor.sliders.sliders["head_yaw"], "input", state, 10.0)
    assert "frame 0" in fire(viewer.set_key, "click", state)[viewer.keyframes]
    assert viewer.frame not in fire(viewer.frame, "input", state, 20)
    assert fire(viewer.previous_key, "click", state)[viewer.frame] == 0
    fire(viewer.delete_key, "click", state)
    assert state.session.keyframes() == {}


def test_switches_copies_and_resets(fire: Fire, editor: Editor, state: PageState) -> None:
    fire(editor.sliders.any_light, "input", state, True)
    assert state.session.any_light
    assert editor.positions in fire(editor.copying.copy, "click", state, 25, ["pose"])
    changes = fire(editor.sliders.reset_group["head"], "click", state)
    assert changes[editor.positions][1:] == list(state.session.values().values())
    fire(editor.sliders.reset_all, "click", state)
    assert not state.session.any_light


def test_an_edit_file_is_loaded(fire: Fire, editor: Editor, state: PageState, tmp_path: Path) -> None:
    write_edit(state.session.move({"head_yaw": 7.0}).to_edit(), tmp_path / "edit.yaml")
    fire(editor.exporting.load_edit, "click", state, str(tmp_path / "edit.yaml"))
    assert state.session.values()["head_yaw"] == 7
    with pytest.raises(gr.Error, match="choose an edit file"):
        fire(editor.exporting.load_edit, "click", state, None)


def test_another_performance_and_back(fire: Fire, editor: Editor, state: PageState, run: OpenRun) -> None:
    panel = editor.driving
    changes = fire(panel.drive, "click", state, None, str(run.target.folder), "full", "warn")
    assert "Driven by" in changes[panel.notes]
    assert state.session.performance.source is not None
    assert "performs itself" in fire(panel.undo, "click", state)[panel.notes]


def test_another_run_is_opened(fire: Fire, editor: Editor, state: PageState, run: OpenRun, run_folder: Path) -> None:
    fire(editor.sliders.sliders["head_yaw"], "input", state, 10.0)
    assert str(run.checkpoint) in fire(editor.run.open, "click", state, str(run_folder), "")[editor.run.notes]
    assert not state.session.tracks
    with pytest.raises(gr.Error, match="name the folder of a run"):
        fire(editor.run.open, "click", state, " ", "")
    with pytest.raises(gr.Error, match="open a run first"):
        fire(editor.viewer.set_key, "click", PageState())


def test_the_session_is_exported(fire: Fire, editor: Editor, state: PageState) -> None:
    panel = editor.exporting
    changes = fire(panel.export, "click", state, None, False)
    assert "40 frames" in changes[panel.notes]
