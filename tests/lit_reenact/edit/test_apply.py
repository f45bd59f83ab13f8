"""Each slider changes what it names and nothing else: parameters, landmarks and renderings."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, head_to_camera, matrix_to_euler
from lit_reenact.core.schema import Camera, FaceParameters, Track
from lit_reenact.edit import apply_sliders, neck_of, sliders_of
from lit_reenact.edit.proportions import FIELDS, proportions
from lit_reenact.face import FaceModel, load_face_model
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.rendering.shading import irradiance
from tests.factories import make_actor, make_parameters, make_track

MODEL = load_face_model("builtin")
FRAMES = 6
PARAMETERS = make_parameters(MODEL, FRAMES)
ACTOR = make_actor(MODEL)
CAMERA = Camera(focal=4.5 * 128, width=128, height=128)

CHANNEL = {"head": "rotation", "position": "translation", "face shape": "identity", "light": "illumination"}


def apply(neck: Tensor | None = None, **sliders: float) -> FaceParameters:
    return apply_sliders({name: torch.full((FRAMES,), float(value)) for name, value in sliders.items()}, PARAMETERS, MODEL, neck)


def changed_channels(edited: FaceParameters) -> set[str]:
    return {f.name for f in fields(edited) if not torch.equal(getattr(edited, f.name), getattr(PARAMETERS, f.name))}


def pose(rotation: Tensor) -> Tensor:
    return matrix_to_euler(axis_angle_to_matrix(rotation.double())).rad2deg()


def still(**channels: Tensor) -> FaceParameters:
    """Return one frame of a head that looks into the camera with a neutral face."""
    zero = {f.name: torch.zeros_like(getattr(PARAMETERS, f.name)[:1]) for f in fields(PARAMETERS)}
    zero |= {"translation": torch.tensor([[0.0, 0.0, 1100.0]]), "illumination": PARAMETERS.illumination[:1]}
    return FaceParameters(**{**zero, **channels})


def test_sliders_at_their_defaults_change_no_bit() -> None:
    assert not changed_channels(apply(**{slider.name: slider.default for slider in sliders_of(MODEL).values()}))


@pytest.mark.parametrize("name", sorted(sliders_of(MODEL)))
def test_a_slider_touches_only_its_own_channel(name: str) -> None:
    slider = sliders_of(MODEL)[name]
    allowed = {CHANNEL.get(slider.group, "gaze" if name.startswith("gaze") else "expression")}
    if name in FIELDS:
        allowed.add("translation")  # a longer face grows from the eyes
    channels = changed_channels(apply(**{name: slider.high}))
    assert channels <= allowed
    if slider.group != "expression" or "_" in name:  # a shape may stand at its bound already
        assert channels


@pytest.mark.parametrize(("name", "axis"), [("head_yaw", 0), ("head_pitch", 1), ("head_roll", 2)])
def test_the_head_turns_about_the_named_axis(name: str, axis: int) -> None:
    """These are SciPy's intrinsic rotations about y, x and z; the last two have the opposite sign."""
    before, after = (Rotation.from_rotvec(p.rotation.double().numpy()) for p in (PARAMETERS, apply(**{name: 10})))
    angles = [rotation.as_euler("YXZ", degrees=True) * [1, -1, -1] for rotation in (before, after)]
    wanted = torch.zeros(FRAMES, 3, dtype=torch.float64)
    wanted[:, axis] = 10
    torch.testing.assert_close(torch.from_numpy(angles[1] - angles[0]), wanted, atol=1e-3, rtol=0)


def test_a_head_moves_on_its_neck_as_it_did_in_training(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A turn to the left by one radian moved this head 80 mm to the right of the picture."""
    track: Track = make_track(tmp_path_factory.mktemp("neck"), frames=60)
    yaw = 0.3 * torch.sin(torch.arange(60) / 5)
    turns = torch.stack([torch.zeros(60), yaw, torch.zeros(60)], -1)
    place = torch.stack([80 * yaw, torch.zeros(60), torch.full((60,), 1100.0)], -1)
    neck = neck_of(replace(track, parameters=track.parameters.replace(rotation=turns, translation=place)))
    front = still().replace(rotation=torch.zeros(1, 3))
    moved = apply_sliders({"head_yaw": torch.tensor([10.0])}, front, MODEL, neck).translation - front.translation
    torch.testing.assert_close(moved, torch.tensor([[80 * torch.pi / 18, 0, 0]], dtype=torch.float32), atol=0.3, rtol=0)


def test_a_head_that_comes_nearer_keeps_its_place_in_the_picture() -> None:
    edited = apply(position_nearer=25)
    for before, after in ((PARAMETERS, edited),):
        ratio = after.translation / before.translation[:, 2:]
        torch.testing.assert_close(ratio, before.translation / before.translation[:, 2:] / 1.25)


def test_gain_and_offsets_stay_within_the_bounds() -> None:
    edited = apply(expression_gain=3, jawOpen=1.2).expression
    low, high = MODEL.expression_bounds.unbind(-1)
    jaw = MODEL.expression_names.index("jawOpen")
    assert (edited >= low).all()
    assert (edited <= high).all()
    torch.testing.assert_close(edited[:, jaw], (3 * PARAMETERS.expression[:, jaw] + 1.2).clamp_max(1.2))
    neutral = apply(expression_gain=0).expression
    for name, value, before in zip(MODEL.expression_names, neutral.T, PARAMETERS.expression.T, strict=True):
        assert torch.equal(value, before if "Blink" in name else torch.zeros_like(before)), name


@pytest.mark.parametrize("side", ["left", "right"])
def test_closing_one_eye_does_not_change_the_other(side: str) -> None:
    edited = apply(**{f"close_{side}_eye": 1}).expression
    for name, value, before in zip(MODEL.expression_names, edited.T, PARAMETERS.expression.T, strict=True):
        own = name.startswith("eye") and name.endswith(side.title())
        expected = torch.full_like(value, float("Blink" in name)) if own else before
        assert torch.equal(value, expected), name
    half = apply(**{f"close_{side}_eye": 0.5}).expression
    torch.testing.assert_close(half, (edited + PARAMETERS.expression) / 2)


@pytest.mark.parametrize("scale", [0.8, 1.2])
def test_lids_of_a_closed_eye_meet_whatever_its_size(scale: float) -> None:
    """The whole face is taller or flatter; the gap is measured between two landmarks on the lids."""
    person = replace(ACTOR, neutral=ACTOR.neutral * ACTOR.neutral.new_tensor([1, scale, 1]))
    shut = apply_sliders({"close_left_eye": torch.ones(1)}, still(), MODEL, actor=person)
    landmarks = MODEL.landmarks_of(person, shut)[0]
    upper, lower = landmarks[386, 1], landmarks[374, 1]
    assert abs(float(upper - lower)) < 0.6  # mm
    assert float(landmarks[159, 1] - landmarks[145, 1]) > 5  # the other eye


def test_closing_never_opens_an_eye() -> None:
    tight = still(expression=torch.full((1, len(MODEL.expression_names)), 1.1))
    blink = MODEL.expression_names.index("eyeBlinkLeft")
    assert (
        apply_sliders({"close_left_eye": torch.ones(1)}, tight, MODEL, actor=ACTOR).expression[0, blink]
        == tight.expression[0, blink]
    )


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_closed_eye_is_rendered_shut_and_the_other_unchanged(side: str) -> None:
    renderer, frame = ConditioningRenderer(MODEL, ACTOR, CAMERA), still()
    shut = apply_sliders({f"close_{side}_eye": torch.ones(1)}, frame, MODEL)
    before, after = (renderer(parameters)[0, 6:].amax(0) for parameters in (frame, shut))
    left_half, right_half = slice(64, 128), slice(0, 64)  # of the picture; the subject's left is on the right
    own, other = (left_half, right_half) if side == "left" else (right_half, left_half)
    assert (before[:, own] > 128).sum() > 10
    assert after[:, own].amax() == 0
    assert torch.equal(before[:, other], after[:, other])


def test_gaze_turns_both_irises_to_the_named_side() -> None:
    renderer, frame = ConditioningRenderer(MODEL, ACTOR, CAMERA), still()
    columns = torch.arange(128)
    for name, value, axis, sign in (("gaze_yaw", 15.0, 0, 1), ("gaze_pitch", 15.0, 1, -1)):
        turned = apply_sliders({name: torch.tensor([value])}, frame, MODEL)
        places = []
        for parameters in (frame, turned):
            eyes = renderer(parameters)[0, 6:].float()
            iris = (eyes[2] - eyes[0]).sum(axis)  # blue, not white
            places.append(float((iris * columns).sum() / iris.sum()))
        assert sign * (places[1] - places[0]) > 0.5, name


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_proportion_changes_its_length_by_its_percentage(name: str) -> None:
    before, after = (MODEL.landmarks_of(ACTOR, p)[0] for p in (PARAMETERS, apply(**{name: 10})))
    neutral, edited = ACTOR.neutral[:468], ACTOR.neutral[:468] + (after - before)
    ratios = [(edited[a] - edited[b]).norm() / (neutral[a] - neutral[b]).norm() for a, b in FIELDS[name][1]]
    assert float(torch.stack(ratios).mean()) == pytest.approx(1.1, abs=0.01)


def test_identities_of_the_builtin_model_express_every_proportion() -> None:
    for name, proportion in proportions(MODEL).items():
        assert proportion.expressed > 0.85, name


def test_a_face_grows_longer_from_the_eyes() -> None:
    before, after = (
        head_to_camera(MODEL.landmarks_of(ACTOR, p), p.rotation, p.translation) for p in (PARAMETERS, apply(longer=10))
    )
    moves = (after - before).norm(dim=-1)
    assert moves[:, [33, 133, 263, 362]].amax() < 1
    assert moves[:, 152].amin() > 8


def test_a_model_with_few_identities_expresses_less_of_a_proportion() -> None:
    coarse: FaceModel = replace(MODEL, identity_basis=MODEL.identity_basis[:6], identity_scale=MODEL.identity_scale[:6])
    assert proportions(coarse)["eye_size"].expressed < 0.3
    assert proportions(coarse)["wider"].expressed > 0.7


def test_light_by_hand() -> None:
    """On a ball in even light, the side that faces the new light doubles, the far side is black, the front is unchanged."""
    even = torch.zeros(1, 9, 3)
    even[:, 0] = torch.tensor([3.0, 2.0, 1.0])
    frame = still(illumination=even.flatten(1))
    sides = torch.tensor([[[1.0, 0, 0], [-1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]]])  # camera axes: right, left, front, up
    plain = irradiance(sides, frame.illumination)[0]
    lit = irradiance(sides, apply_sliders({"light_left": torch.tensor([100.0])}, frame, MODEL).illumination)[0]
    torch.testing.assert_close(lit, plain * torch.tensor([2.0, 0, 1, 1])[:, None], atol=1e-5, rtol=0)
    above = irradiance(sides, apply_sliders({"light_above": torch.tensor([50.0])}, frame, MODEL).illumination)[0]
    torch.testing.assert_close(above, plain * torch.tensor([1.0, 1, 1, 1.5])[:, None], atol=1e-5, rtol=0)
    warm = irradiance(sides, apply_sliders({"warmth": torch.tensor([20.0])}, frame, MODEL).illumination)[0]
    torch.testing.assert_close(warm, plain * torch.tensor([1.2, 1.0, 0.8]))
    dark = irradiance(sides, apply_sliders({"brightness": torch.tensor([-50.0])}, frame, MODEL).illumination)[0]
    torch.testing.assert_close(dark, plain / 2)


def test_frames_are_edited_one_by_one() -> None:
    values = {"head_yaw": torch.linspace(-20, 20, FRAMES), "close_left_eye": torch.linspace(0, 1, FRAMES)}
    together = apply_sliders(values, PARAMETERS, MODEL)
    alone = apply_sliders({name: value[3:4] for name, value in values.items()}, PARAMETERS[3:4], MODEL)
    for f in fields(together):
        torch.testing.assert_close(getattr(together, f.name)[3:4], getattr(alone, f.name), atol=1e-6, rtol=0)
