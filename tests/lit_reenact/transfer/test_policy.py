"""Transfer policies: presets, plain values and files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.transfer import PRESETS, ChannelPolicy, TransferPolicy, load_policy, policy_of


@pytest.mark.parametrize("name", PRESETS)
def test_plain_values_are_read_back(name: str) -> None:
    policy = replace(PRESETS[name], mouth=ChannelPolicy("matched", gain=1.5, smoothing=0.1), reference=3)
    assert policy_of(json.loads(json.dumps(policy.to_dict()))) == policy
    assert load_policy(name) == PRESETS[name]


def test_needs_of_each_preset() -> None:
    assert {name for name, policy in PRESETS.items() if not policy.needs_source} == {"eye-contact"}
    assert {name for name, policy in PRESETS.items() if not policy.plays_target} == {"full"}


def test_a_file_changes_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("preset: dubbing\nmouth: {gain: 1.2, smoothing: 0.05}\ngaze: camera\n", encoding="utf-8")
    expected = replace(PRESETS["dubbing"], mouth=ChannelPolicy("matched", 1.2, 0.05), gaze=ChannelPolicy("camera"))
    assert load_policy(str(path)) == expected


def test_a_file_without_a_preset_changes_the_full_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("rotation: reference\nreference: 12\n", encoding="utf-8")
    assert load_policy(str(path)) == replace(PRESETS["full"], rotation=ChannelPolicy("reference"), reference=12)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mout: matched", "no channel 'mout' .did you mean 'mouth'"),
        ("preset: dubing", "no preset 'dubing' .did you mean 'dubbing'"),
        ("mouth: {gian: 2}", "no setting of mouth 'gian' .did you mean 'gain'"),
        ("mouth: matchd", "mouth has no mode 'matchd' .did you mean 'matched'"),
        ("rotation: camera", "rotation has no mode 'camera'"),
        ("identity: relative", "identity has no mode 'relative'"),
        ("gaze: {mode: camera, gain: 2}", "misses the camera"),
        ("mouth: {gain: loud}", "gain of mouth must be a number of at least 0, not 'loud'"),
        ("mouth: {gain: -1}", "gain of mouth must be a number of at least 0, not -1"),
        ("mouth: {smoothing: .nan}", "smoothing of mouth must be a number"),
        ("mouth: 3", "mouth must be a mode, or mode, gain and smoothing, not 3"),
        ("preset: [full]", "no preset"),
        ("reference: first", "reference must be the number of a frame"),
        ("- mouth", "names? channels|should name channels"),
        ("mouth: {gain: 1", "cannot be read as a transfer policy"),
        ("mouth: ${nothing}", "cannot be read as a transfer policy"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReenactError, match=reason) as refusal:
        load_policy(str(path))
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)


def test_a_name_that_is_neither_preset_nor_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match=r"no transfer preset 'dub': choose full, expression"):
        load_policy("dub")
    with pytest.raises(ReenactError, match=r"none\.yaml cannot be read"):
        load_policy(str(tmp_path / "none.yaml"))


def test_a_policy_refuses_contradictions() -> None:
    own = ChannelPolicy("target")
    with pytest.raises(ReenactError, match="translation has no mode 'camera'"):
        TransferPolicy(own, ChannelPolicy("camera"), own, own, own, own, own, own)
