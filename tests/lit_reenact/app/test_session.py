"""Sliders and keyframes of a session, without a page."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from lit_reenact.app.copying import PARTS
from lit_reenact.app.performance import UneditedPerformance
from lit_reenact.app.session import EditingSession
from lit_reenact.app.slider_grid import slider_range, snap
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.geometry import axis_angle_to_matrix
from lit_reenact.core.schema import FaceParameters
from lit_reenact.edit import Edit, Slider, apply_edit, parse_edit, read_edit, write_edit


def assert_same(first: FaceParameters, second: FaceParameters) -> None:
    for field in fields(FaceParameters):
        torch.testing.assert_close(getattr(first, field.name), getattr(second, field.name), msg=field.name)


def test_a_session_without_edits_is_the_video(session: EditingSession) -> None:
    assert_same(session.edit_frames(3, 9), session.performance.parameters[3:9])
    assert session.values()["expression_gain"] == 1
    assert set(session.values().values()) == {0, 1}


def test_a_moved_slider_stands_still_over_the_whole_video(session: EditingSession) -> None:
    moved = session.move({"head_yaw": 10.0, "jawOpen": 0.0})
    assert moved.tracks.keys() == {"head_yaw"}
    assert moved.go_to(30).values()["head_yaw"] == 10
    assert session.values()["head_yaw"] == 0  # the session before is as it was
    assert not moved.move({"head_yaw": 0.0}).tracks


def test_keyframes_lead_from_one_value_to_the_next(session: EditingSession) -> None:
    begun = session.move({"head_yaw": 10.0}).set_keyframe()
    done = begun.go_to(20).move({"head_yaw": -10.0})  # a slider with keyframes gets one where it is moved
    assert done.keyframes() == {0: ["head_yaw"], 20: ["head_yaw"]}
    assert [done.go_to(frame).values()["head_yaw"] for frame in (0, 10, 20, 39)] == [10, 0, -10, -10]
    once_more = done.go_to(20).move({"head_yaw": -20.0})
    assert once_more.keyframes() == done.keyframes()
    assert once_more.values()["head_yaw"] == -20


def test_keyframes_are_deleted_one_by_one(session: EditingSession) -> None:
    done = session.move({"head_yaw": 10.0}).set_keyframe().go_to(20).move({"head_yaw": -10.0})
    one_left = done.delete_keyframe()
    assert one_left.keyframes() == {0: ["head_yaw"]}
    none_left = one_left.go_to(0).delete_keyframe()
    assert none_left.keyframes() == {}
    assert none_left.go_to(30).values()["head_yaw"] == 10  # it stays where it was
    with pytest.raises(ReenactError, match="frame 0 has no keyframe"):
        none_left.delete_keyframe()


def test_a_keyframe_of_nothing_is_refused(session: EditingSession) -> None:
    with pytest.raises(ReenactError, match="move one first"):
        session.set_keyframe()


def test_reset_of_a_group_leaves_the_others(session: EditingSession) -> None:
    done = session.move({"head_yaw": 10.0, "close_left_eye": 1.0}).set_keyframe()
    assert done.reset("head").keyframes() == {0: ["close_left_eye"]}
    assert done.reset("head").tracks.keys() == {"close_left_eye"}
    assert not done.reset().tracks


def test_frames_beyond_the_ends_are_the_ends(session: EditingSession) -> None:
    assert session.go_to(-3).frame == 0
    assert session.go_to(1000).frame == 39


def test_copied_frame_looks_like_the_other(session: EditingSession) -> None:
    """Head, place, expression, and the mean gaze of both eyes agree within a step of the sliders."""
    done = session.go_to(7).copy_from(25, PARTS)
    copied, other = done.edit_frames(7, 8), session.performance.parameters[25:26]
    apart = axis_angle_to_matrix(copied.rotation) @ axis_angle_to_matrix(other.rotation).transpose(-1, -2)
    assert torch.rad2deg(torch.arccos((apart[0].trace() - 1).div(2).clamp(-1, 1))) < 0.8
    assert (copied.translation - other.translation).abs().max() < 12  # 1 % of a distance of 1100 mm
    assert (copied.translation - other.translation)[0, :2].abs().max() < 2
    assert (copied.expression - other.expression).abs().max() < 0.011
    mean = lambda gaze: torch.rad2deg(gaze.view(2, 2).mean(0))  # noqa: E731
    assert (mean(copied.gaze) - mean(other.gaze)).abs().max() < 0.6


def test_copies_only_what_is_asked_for(session: EditingSession) -> None:
    here = session.performance.parameters[7:8]
    copied = session.go_to(7).copy_from(25, ["gaze"]).edit_frames(7, 8)
    assert not torch.equal(copied.gaze, here.gaze)
    for name in ("rotation", "translation", "expression"):
        assert torch.equal(getattr(copied, name), getattr(here, name))
    with pytest.raises(ReenactError, match="no frame 40"):
        session.copy_from(40, PARTS)
    with pytest.raises(ReenactError, match="choose what"):
        session.copy_from(3, [])


def test_the_edit_file_does_the_same(session: EditingSession, tmp_path: Path) -> None:
    done = (
        session.move({"head_yaw": 10.0, "wider": 5.0}).set_keyframe().go_to(20).move({"head_yaw": -10.0, "close_left_eye": 0.5})
    )
    write_edit(done.to_edit(), tmp_path / "edit.yaml")
    edit = read_edit(tmp_path / "edit.yaml", session.run.model)
    parameters, fps = session.performance.parameters, session.run.target.fps
    actor = session.run.target.track.actor
    assert_same(apply_edit(edit, parameters, session.run.model, fps, session.run.neck, actor), done.edit_frames(0, 40))
    again = session.load(edit)
    assert again.keyframes() == {0: ["head_yaw"], 20: ["head_yaw"]}
    assert_same(again.edit_frames(0, 40), done.edit_frames(0, 40))


def test_light_that_the_training_never_showed_is_held_and_reported(session: EditingSession) -> None:
    far, farther = (session.go_to(7).move({"light_left": value}) for value in (80.0, 100.0))
    assert torch.equal(far.edit_frames(5, 9).illumination, farther.edit_frames(5, 9).illumination)
    assert not torch.equal(far.edit_frames(5, 9).illumination, session.edit_frames(5, 9).illumination)
    (sentence,) = farther.limits()
    assert "+100 % was asked for" in sentence
    assert session.move({"light_left": 1.0, "head_yaw": 10.0}).limits() == ()
    free = replace(farther, any_light=True)
    assert free.limits() == ()
    assert not torch.equal(free.edit_frames(5, 9).illumination, farther.edit_frames(5, 9).illumination)
    assert not free.reset().any_light


def test_a_file_in_seconds_is_shown_in_frames(session: EditingSession) -> None:
    """The clip has 5 frames a second."""
    keys = {"sliders": {"head_yaw": {"keys": [[0, 0], [2.0, 8]]}}, "remove_hair": True}
    loaded = session.load(parse_edit(keys, session.run.model))
    assert session.run.target.fps == Fraction(5)
    assert list(loaded.keyframes()) == [0, 10]
    assert loaded.to_edit().remove_hair
    with pytest.raises(ReenactError, match="clip lasts"):
        session.load(parse_edit({"sliders": {"head_yaw": {"keys": [[0, 0], [99, 8]]}}}, session.run.model))


def test_a_shorter_performance_loses_the_keys_after_its_end(session: EditingSession) -> None:
    done = session.move({"head_yaw": 10.0}).set_keyframe().go_to(30).move({"head_yaw": -10.0})
    short = done.perform(UneditedPerformance(session.performance.parameters[:12], ()))
    assert short.frame == 11
    assert short.keyframes() == {0: ["head_yaw"]}
    assert isinstance(short.to_edit(), Edit)
    short.to_edit().values(12, Fraction(5))  # and can be carried out


@pytest.mark.parametrize(("low", "high"), [(-1.2, 1.2), (0.0, 0.777), (-0.333, 1.0)])
def test_a_slider_can_stand_at_its_default_and_within_its_range(low: float, high: float) -> None:
    slider = Slider("a", "a", "mouth", "", low, high, 0, "")
    lowest, highest, step = slider_range(slider)
    assert low <= lowest < low + step
    assert high - step < highest <= high
    assert snap(0.0, slider) == 0
    assert snap(5.0, slider) == highest
    assert snap(0.1234, slider) == 0.12
