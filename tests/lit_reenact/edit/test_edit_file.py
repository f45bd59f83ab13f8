"""Edit files: writing, reading, and errors in one sentence."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lit_reenact.core.errors import ReenactError
from lit_reenact.edit import GROUPS, Edit, SliderTrack, parse_edit, read_edit, sliders_of, write_edit
from lit_reenact.face import load_face_model

MODEL = load_face_model("builtin")


def test_table_holds_every_shape_and_component_in_a_known_group() -> None:
    table = sliders_of(MODEL)
    assert set(MODEL.expression_names) <= set(table)
    assert sum(name.startswith("identity_") for name in table) == len(MODEL.identity_scale)
    for name, slider in table.items():
        assert slider.name == name
        assert slider.group in GROUPS
        assert slider.low <= slider.default <= slider.high
        assert slider.help


@pytest.mark.parametrize("name", ["edit.yaml", "edit.json"])
def test_reading_returns_what_was_written(tmp_path: Path, name: str) -> None:
    keys = ((0.0, 0.0), (0.5, 1.0), (1.0, 0.0))
    edit = Edit({"head_yaw": SliderTrack(((0.0, 10.0),)), "close_left_eye": SliderTrack(keys, "linear")}, "frames", True)
    write_edit(edit, tmp_path / "new" / name)
    assert read_edit(tmp_path / "new" / name, MODEL) == edit
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"sliders": {"head_jaw": 3}}, "head_jaw.*did you mean 'head_yaw'"),
        ({"sliders": {"head_yaw": 50}}, "head_yaw = 50 is out of range: it goes from -45 to 45 deg"),
        ({"sliders": {"head_yaw": {"keys": [[0, 1], [1, -60]]}}}, "-60 is out of range"),
        ({"sliders": {"head_yaw": {"keys": [[1, 1], [1, 2]]}}}, "ascending"),
        ({"sliders": {"head_yaw": {"keys": []}}}, "list of"),
        ({"sliders": {"head_yaw": {"keys": [[0, 1, 2]]}}}, "list of"),
        ({"sliders": {"head_yaw": {"key": [[0, 1]]}}}, "did you mean 'keys'"),
        ({"sliders": {"head_yaw": {"keys": [[0, 1]], "interpolation": "cubic"}}}, "smooth or linear"),
        ({"sliders": {"head_yaw": "far"}}, "must be a number"),
        ({"sliders": {"head_yaw": True}}, "must be a number"),
        ({"sliders": {"head_yaw": float("nan")}}, "must be a number"),
        ({"sliders": [1, 2]}, "names with their values"),
        ({"slider": {}}, "did you mean 'sliders'"),
        ({"time": "minutes"}, "seconds or frames"),
        ({"time": ["seconds"]}, "seconds or frames"),
        ({"remove_hair": 1}, "true or false"),
        ([], "names with their values"),
    ],
)
def test_an_invalid_edit_gives_one_sentence(data: object, sentence: str) -> None:
    with pytest.raises(ReenactError, match=sentence) as caught:
        parse_edit(data, MODEL)
    assert "\n" not in str(caught.value)


def test_a_missing_or_invalid_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match="no such edit file"):
        read_edit(tmp_path / "missing.yaml", MODEL)
    for name, content in (("a.yaml", b"a: [1"), ("a.json", b"{"), ("b.yaml", b"\xff\xfe\x00")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ReenactError, match="neither JSON nor YAML") as caught:
            read_edit(tmp_path / name, MODEL)
        assert "\n" not in str(caught.value)


def test_an_empty_file_is_an_edit_without_sliders(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    assert read_edit(tmp_path / "empty.yaml", MODEL) == Edit()


def test_linear_keys_by_hand() -> None:
    track = SliderTrack(((1.0, 10.0), (2.0, 20.0)), "linear")
    torch.testing.assert_close(track(torch.tensor([0.0, 1.0, 1.25, 2.0, 9.0])), torch.tensor([10, 10, 12.5, 20, 20]))


@given(st.lists(st.tuples(st.floats(0.1, 5), st.floats(-10, 10)), min_size=2, max_size=6))
def test_smooth_keys_are_reached_never_overshot_and_level_at_the_ends(steps: list[tuple[float, float]]) -> None:
    times = torch.tensor([step for step, _ in steps], dtype=torch.float64).cumsum(0)
    values = [value for _, value in steps]
    track = SliderTrack(tuple(zip(times.tolist(), values, strict=True)))
    torch.testing.assert_close(track(times), torch.tensor(values), atol=1e-5, rtol=1e-5)
    for k, (low, high) in enumerate((min(pair), max(pair)) for pair in pairwise(values)):
        between = track(torch.linspace(float(times[k]), float(times[k + 1]), 20, dtype=torch.float64))
        assert between.amin() >= low - 1e-4
        assert between.amax() <= high + 1e-4
    near = track(times[:1] + 1e-3 * (times[1] - times[0])) - values[0]
    assert abs(float(near)) <= 1e-4 * max(1.0, max(abs(v) for v in values))


def test_times_count_in_seconds_or_frames_and_must_lie_in_the_clip() -> None:
    keys = SliderTrack(((0.0, 0.0), (2.0, 10.0)), "linear")
    seconds = Edit({"head_yaw": keys}).values(11, Fraction(5))["head_yaw"]
    assert seconds[5] == 5
    assert seconds[10] == 10
    assert Edit({"head_yaw": keys}, "frames").values(11, Fraction(5))["head_yaw"][:4].tolist() == [0, 5, 10, 10]
    with pytest.raises(ReenactError, match=r"moves head_yaw at 2 seconds, but the clip lasts from 0 to 1\.8"):
        Edit({"head_yaw": keys}).values(9, Fraction(5))
