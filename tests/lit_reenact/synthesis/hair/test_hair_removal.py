"""Hair painted onto a known scene is removed again."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_reenact.core.schema import Camera
from lit_reenact.face import load_face_model
from lit_reenact.landmarks.person import grow
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.synthesis.hair import HairRemover, remover
from lit_reenact.synthesis.hair.anatomy import AnatomyRenderer, fit_skull
from lit_reenact.synthesis.hair.bald_head import bald_reflectance, bare_skull
from lit_reenact.video import FrameReader, VideoWriter
from tests.factories import make_actor, make_parameters, make_track

SIZE, FRAMES = 128, 32
MODEL = load_face_model("builtin")
HAIR = torch.tensor([60.0, 35.0, 25.0])


def test_a_bald_head_has_the_skin_of_the_cheeks() -> None:
    actor = make_actor(MODEL)
    skin = torch.tensor([0.8, 0.6, 0.5])[:, None, None].expand(-1, 64, 64)
    hairy = skin.clone()
    hairy[:, :24] = 0.1
    torch.testing.assert_close(bald_reflectance(MODEL, replace(actor, reflectance=hairy)), skin, atol=1e-3, rtol=0)


def test_a_bare_skull_is_wider_than_the_models_and_the_face_is_not() -> None:
    points = torch.tensor([[70.0, 80, -90], [-70, 80, -90], [60, 60, 10], [75, 0, -90], [0, 110, -90]])
    wider = torch.tensor([[78.4, 80, -90], [-78.4, 80, -90], [60, 60, 10], [75, 0, -90], [0, 110, -90]])
    torch.testing.assert_close(bare_skull(points), wider)


def test_a_smaller_skull_is_nearer_to_its_centre_and_the_face_is_not() -> None:
    points = torch.tensor([[0.0, 115, -80], [0, 15, -180], [60, 60, 10]])
    smaller = torch.tensor([[0.0, 105, -80], [0, 15, -180], [60, 60, 10]])  # what is not above the eyes stays too
    torch.testing.assert_close(bare_skull(points, 0.9), smaller)


def test_a_skull_lies_within_the_hair() -> None:
    """The outline of a smaller skull gives a skull of just that size."""
    actor, camera = make_actor(MODEL), Camera(focal=4.5 * SIZE, width=SIZE, height=SIZE)
    parameters = make_parameters(MODEL, 6)
    for size in (1.0, 0.8):
        person = AnatomyRenderer(MODEL, actor, camera, SIZE, size)(parameters).head
        anatomy = fit_skull(MODEL, actor, camera, SIZE, parameters, person)(parameters)
        assert torch.equal(anatomy.head, person)


def test_an_smooth_outline_outline_loses_its_corners_alone() -> None:
    square = torch.zeros(60, 60, dtype=torch.bool)
    square[10:50, 10:50] = True
    even = remover._smooth_outline(square, 4)
    assert torch.equal(even[30], square[30])
    assert not even[10, 10]
    assert not (even & ~square).any()


def test_painted_hair_gives_way_to_the_head_and_the_wall_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rendered head before a wall has hair painted on and around its top; the mask of the person is given."""
    track = make_track(tmp_path, frames=FRAMES, size=SIZE)
    head = (ConditioningRenderer(MODEL, track.actor, track.camera)(track.parameters)[:, 3:6] > 0).any(1)
    anatomy = AnatomyRenderer(MODEL, track.actor, track.camera, SIZE)(track.parameters)
    wall = torch.linspace(120, 200, SIZE)[:, None, None].expand(SIZE, SIZE, 3)
    bald = torch.where(head[..., None], anatomy.bald.float(), wall)
    hair = grow(head, 4) & anatomy.on_top
    noise = torch.randn(FRAMES, SIZE, SIZE, 1, generator=torch.Generator().manual_seed(0))
    painted = torch.where(hair[..., None], HAIR + 6 * noise, bald).clamp(0, 255).to(torch.uint8)
    clip = tmp_path / "hairy.mp4"
    with VideoWriter(clip, Fraction(5), tags={}, crf=4) as writer:
        for frame in painted:
            writer.write(frame)
    frames, person = FrameReader(clip)[:], head | hair
    masks = {frame.numpy().tobytes(): mask for frame, mask in zip(frames, person, strict=True)}
    segmenter = lambda: lambda frames: torch.stack([masks[frame.numpy().tobytes()] for frame in frames])  # noqa: E731
    monkeypatch.setattr(remover, "PersonSegmenter", segmenter)

    without_hair = HairRemover(MODEL, track, FrameReader(clip), SIZE)
    result = without_hair(frames, track.parameters)

    near = grow(person, without_hair.margin)
    assert torch.equal(result[~near], frames[~near])
    features = anatomy.features & ~hair
    assert (result[features].int() - frames[features].int()).abs().float().mean() < 2
    assert ((result[hair].float() - HAIR).abs().amax(-1) > 40).float().mean() > 0.95
    assert (result[hair].float() - bald[hair]).abs().mean() < 15
    assert (frames[hair].float() - bald[hair]).abs().mean() > 60

    # Where the model's skull is too large, the wall shows around the hair, not skin.
    usual = without_hair.anatomy
    swollen = lambda parameters: replace(usual(parameters), head=grow(head, 10))  # noqa: E731
    monkeypatch.setattr(without_hair, "anatomy", swollen)
    around = near & ~grow(person, 1) & anatomy.on_top
    beyond = without_hair(frames, track.parameters)[around].float() - wall.expand(FRAMES, -1, -1, -1)[around]
    assert beyond.abs().mean() < 15


def test_clothes_of_the_colour_of_the_hair_stay() -> None:
    """Below the chin, only pixels connected to the top of the head are hair."""
    like_hair, on_top = np.zeros((2, 20, 20), bool)
    on_top[:6] = True
    like_hair[2:15, 2:6] = True  # long hair
    like_hair[12:, 10:18] = True  # a shirt
    growing = remover._connected_to_top(like_hair, on_top)
    assert growing[2:15, 2:6].all()
    assert not growing[:, 8:].any()
