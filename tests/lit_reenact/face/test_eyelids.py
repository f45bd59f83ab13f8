"""The blink that shuts an eye, tested with the lids of meshes."""

from __future__ import annotations

import pytest
import torch

from lit_reenact.core.schema import Actor
from lit_reenact.face import load_face_model
from lit_reenact.face.eyelids import closing_blink, gaps
from tests.factories import make_actor


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.25])
def test_lids_meet_there_whatever_the_size_of_the_eyes(scale: float) -> None:
    model = load_face_model("builtin")
    actor = make_actor(model)
    larger = Actor(actor.neutral * actor.neutral.new_tensor([1, scale, 1]), *list(vars(actor).values())[1:])
    closing = closing_blink(model, model.landmarks(larger.neutral))
    for side, name in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
        lids = larger.neutral + closing[side] * model.expression_basis[model.expression_names.index(name)]
        gap = gaps(model.landmarks(lids[None]))[0]
        assert abs(gap[side]) < 0.01  # mm
        assert gap[1 - side] > 2  # the other eye stays open


def test_larger_eyes_take_a_stronger_blink() -> None:
    model = load_face_model("builtin")
    actor = make_actor(model)
    larger = Actor(actor.neutral * actor.neutral.new_tensor([1, 1.25, 1]), *list(vars(actor).values())[1:])
    large, small = (closing_blink(model, model.landmarks(person.neutral)) for person in (larger, actor))
    assert torch.allclose(large / small, torch.tensor(1.25), atol=0.1)
