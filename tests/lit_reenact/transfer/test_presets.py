"""Presets on whole tracks: the channels that they change, and the tracks that they refuse."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

import lit_reenact.transfer.recombination
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.geometry import axis_angle_to_matrix
from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.face import load_face_model
from lit_reenact.face.eyelids import BLINKS, closing_blink, gaps
from lit_reenact.transfer import (
    PRESETS,
    ChannelPolicy,
    TransferPolicy,
    expression_part,
    mean_rotation,
    transfer,
    transfer_rotation,
    transfer_translation,
    transferred_cuts,
)
from tests.factories import make_parameters, make_track

MODEL = load_face_model("builtin")
PARTS = [expression_part(name) for name in MODEL.expression_names]
CHANNELS = ("rotation", "translation", "mouth", "upper_face", "blink", "gaze", "identity", "illumination")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Track:
    return make_track(tmp_path_factory.mktemp("target"), frames=24)


@pytest.fixture(scope="module")
def source(target: Track) -> Track:
    """Return another person in another clip of the same length."""
    info = replace(target.info, source="source.mp4", clip_sha256="other")
    shape = torch.linspace(-1, 1, len(MODEL.identity_scale))
    parameters = make_parameters(MODEL, len(target), seed=1).replace(identity=shape.expand(len(target), -1))
    return replace(target, info=info, parameters=parameters, actor=replace(target.actor, identity=shape))


def channel(parameters: FaceParameters, name: str) -> Tensor:
    """Return a channel by its name in policies."""
    if name in ("mouth", "upper_face", "blink"):
        return parameters.expression[:, [k for k, part in enumerate(PARTS) if part == name]]
    values: Tensor = getattr(parameters, name)
    return values


@pytest.mark.parametrize(
    ("preset", "changed"),
    [
        ("full", {*CHANNELS} - {"identity"}),
        ("expression", {"mouth", "upper_face", "blink"}),
        ("dubbing", {"mouth"}),
        ("gaze", {"gaze"}),
        ("eye-contact", {"gaze"}),
        ("pose", {"rotation", "translation"}),
    ],
)
def test_a_preset_changes_its_channels_and_keeps_the_rest_bit_for_bit(
    source: Track, target: Track, preset: str, changed: set[str]
) -> None:
    result = transfer(source, target, PRESETS[preset])
    kept = {name for name in CHANNELS if torch.equal(channel(result, name), channel(target.parameters, name))}
    assert kept == {*CHANNELS} - changed
    for name in changed:
        if PRESETS[preset].channels[name].mode == "source":
            assert torch.equal(channel(result, name), channel(source.parameters, name)), name


@pytest.mark.parametrize("size", [0.8, 1.1])
def test_blinks_that_shut_the_eyes_of_the_source_shut_those_of_the_target(source: Track, target: Track, size: float) -> None:
    actor = replace(target.actor, neutral=target.actor.neutral * torch.tensor([1, size, 1]))
    closed = torch.zeros_like(source.parameters.expression)
    blinks = [MODEL.expression_names.index(name) for name in BLINKS]
    closed[:, blinks] = closing_blink(MODEL, MODEL.landmarks(source.actor.neutral))
    driver = replace(source, parameters=source.parameters.replace(expression=closed))
    result = transfer(driver, replace(target, actor=actor), PRESETS["full"]).expression
    lids = gaps(MODEL.landmarks(actor.neutral + torch.einsum("tk,kvc->tvc", result, MODEL.expression_basis)))[:, :2]
    assert lids.abs().max() < 0.02  # mm
    assert result[:, [k for k in range(result.shape[1]) if k not in blinks]].abs().max() == 0


def test_every_expression_belongs_to_a_part() -> None:
    of = {part: {name for name, its in zip(MODEL.expression_names, PARTS, strict=True) if its == part} for part in PARTS}
    assert of["blink"] == {"eyeBlinkLeft", "eyeBlinkRight"}
    assert {"jawOpen", "mouthClose", "mouthSmileLeft", "jawLeft-jawRight", "cheekPuff"} <= of["mouth"]
    assert {"browInnerUp", "eyeSquintLeft", "eyeWideRight", "cheekSquintLeft", "noseSneerRight"} <= of["upper_face"]
    assert sum(map(len, of.values())) == len(PARTS)
    assert expression_part("component07") is None


def test_the_full_preset_uses_the_relative_formulas(source: Track, target: Track) -> None:
    result, seen = transfer(source, target, PRESETS["full"]), target.parameters[: target.info.actor_frames]
    assert torch.equal(result.rotation, transfer_rotation(source.parameters.rotation, seen.rotation))
    assert torch.equal(result.translation, transfer_translation(source.parameters, seen))
    assert torch.equal(result.illumination, seen.illumination.mean(0).expand(24, -1))
    assert torch.equal(result.expression, source.parameters.expression)


@pytest.mark.parametrize("mode", ["target", "source", "typical", "reference", "relative", "matched"])
def test_a_track_that_drives_itself_is_unchanged_bit_for_bit(target: Track, mode: str) -> None:
    everything = {name: ChannelPolicy(mode) for name in CHANNELS if name != "identity"}  # type: ignore[arg-type]
    policies = [replace(PRESETS["full"], **everything), *(PRESETS[name] for name in PRESETS if name != "eye-contact")]  # type: ignore[arg-type]
    for policy in policies:
        if policy.needs_source:
            result = transfer(target, target, policy)
            for f in fields(result):
                assert torch.equal(getattr(result, f.name), getattr(target.parameters, f.name)), f.name


def test_a_part_of_a_recording_counts_as_the_same_recording(target: Track) -> None:
    part = replace(target, parameters=target.parameters[5:20])
    result = transfer(part, target, PRESETS["full"])
    for f in fields(result):
        assert torch.equal(getattr(result, f.name), getattr(target.parameters[5:20], f.name)), f.name


def test_a_longer_source_plays_the_target_forward_and_back(source: Track, target: Track) -> None:
    short = replace(target, parameters=target.parameters[:5])
    short = replace(short, info=replace(target.info, actor_frames=5, cuts=(3,)))
    result = transfer(source, short, PRESETS["expression"])
    numbers = [0, 1, 2, 3, 4, 3, 2, 1] * 3
    assert torch.equal(result.rotation, target.parameters.rotation[numbers])
    assert transferred_cuts(source, short, PRESETS["expression"]) == (3, 6, 11, 14, 19, 22)
    assert transferred_cuts(source, short, PRESETS["full"]) == ()


def test_cuts_of_both_are_cuts_of_the_result(source: Track, target: Track) -> None:
    source = replace(source, info=replace(source.info, cuts=(4, 9)))
    target = replace(target, info=replace(target.info, cuts=(9, 15)))
    assert transferred_cuts(source, target, PRESETS["dubbing"]) == (4, 9, 15)
    assert transferred_cuts(source, target, PRESETS["full"]) == (4, 9)
    assert transferred_cuts(source, target, PRESETS["eye-contact"]) == (9, 15)
    smoothed = replace(PRESETS["full"], mouth=ChannelPolicy("source", smoothing=0.4))
    jump = source.parameters.replace(expression=torch.zeros_like(source.parameters.expression))
    jump.expression[4:] = 0.5
    result = transfer(replace(source, parameters=jump), target, smoothed)
    torch.testing.assert_close(result.expression, jump.expression)


def test_eye_contact_needs_no_source_and_ignores_one(source: Track, target: Track) -> None:
    result = transfer(None, target, PRESETS["eye-contact"])
    assert len(result) == 24
    longer = replace(source, parameters=source.parameters[[*range(24), *range(24)]])  # type: ignore[index]
    assert torch.equal(transfer(longer, target, PRESETS["eye-contact"]).gaze, result.gaze)


def test_reference_frames_correspond(source: Track, target: Track) -> None:
    everything = {name: ChannelPolicy("reference") for name in CHANNELS if name != "identity"}
    policy = replace(PRESETS["full"], **everything, reference=7, target_reference=3)  # type: ignore[arg-type]
    result = transfer(source, target, policy)
    for name in CHANNELS:
        torch.testing.assert_close(channel(result, name)[7], channel(target.parameters, name)[3], rtol=1e-5, atol=1e-5)
    depth, own = result.translation[:, 2], source.parameters.translation[:, 2]
    torch.testing.assert_close(depth / depth[7], own / own[7])  # a ratio
    low, high = MODEL.expression_bounds.unbind(-1)
    assert ((result.expression >= low) & (result.expression <= high)).all()


def test_gain_of_each_channel(source: Track, target: Track) -> None:
    half = {name: replace(policy, gain=0.5) for name, policy in PRESETS["full"].channels.items()}
    half["identity"] = ChannelPolicy("source", gain=0.5)
    plain, result = transfer(source, target, PRESETS["full"]), transfer(source, target, TransferPolicy(**half))  # type: ignore[arg-type]
    seen = target.parameters[: target.info.actor_frames]
    torch.testing.assert_close(result.expression, plain.expression / 2)
    torch.testing.assert_close(result.gaze, plain.gaze / 2)
    torch.testing.assert_close(result.identity, source.parameters.identity / 2)  # the target's is 0
    torch.testing.assert_close(result.translation, (plain.translation + seen.translation.mean(0)) / 2)
    usual = mean_rotation(seen.rotation)
    once = axis_angle_to_matrix(result.rotation.double()) @ usual.T
    twice = axis_angle_to_matrix(plain.rotation.double()) @ usual.T
    torch.testing.assert_close(once @ once, twice, rtol=0, atol=1e-6)


def refused(source: Track | None, target: Track, policy: TransferPolicy) -> str:
    with pytest.raises(ReenactError) as refusal:
        transfer(source, target, policy)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_an_impossible_transfer_is_refused_in_one_sentence(source: Track, target: Track) -> None:
    full, dubbing = PRESETS["full"], PRESETS["dubbing"]
    assert "needs a source, for mouth" in refused(None, target, dubbing)
    brief = replace(source, parameters=source.parameters[:4])
    assert "source.mp4 lasts 0.8 s, too short" in refused(brief, target, full)
    assert len(transfer(brief, target, PRESETS["expression"])) == 4
    fast = replace(source, info=replace(source.info, fps="30"))
    assert "source.mp4 has 30 frames per second and synthetic.mp4 5" in refused(fast, target, dubbing)
    assert len(transfer(replace(source, info=replace(source.info, fps="6")), target, full)) == 24
    far = replace(full, rotation=ChannelPolicy("reference"), reference=99)
    assert "reference frame 99 is not among the 24 frames of source.mp4" in refused(source, target, far)
    unseen = replace(target, valid=torch.zeros(24, dtype=torch.bool))
    assert "no training frame of synthetic.mp4 shows a face" in refused(source, unseen, full)


def test_a_model_without_names_keeps_mouth_and_upper_face_together(
    source: Track, target: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tuple(f"component{k:02d}" for k in range(len(PARTS) - 1))
    nameless = replace(MODEL, expression_names=("eyeBlinkLeft", *names))
    monkeypatch.setattr(lit_reenact.transfer.recombination, "load_face_model", lambda name: nameless)
    assert "expressions without a name" in refused(source, target, PRESETS["dubbing"])
    result = transfer(source, target, replace(PRESETS["expression"], blink=ChannelPolicy("target")))
    assert torch.equal(result.expression[:, 1:], source.parameters.expression[:, 1:])
    assert torch.equal(result.expression[:, 0], target.parameters.expression[:, 0])
