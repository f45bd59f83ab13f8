"""The rendered face in the nearest frame, on a rendered scene for which the right picture is known."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from lit_reenact.core.schema import EMPTY, Camera, FaceParameters
from lit_reenact.evaluation.rendered_face import RenderedFace
from lit_reenact.face import load_face_model
from lit_reenact.rendering.conditioning import ConditioningRenderer
from tests.factories import make_actor, make_parameters

SIZE = 96
CAMERA = Camera(focal=4.5 * SIZE, width=SIZE, height=SIZE)
MODEL = load_face_model("builtin")
ACTOR = make_actor(MODEL)
RENDERER = ConditioningRenderer(MODEL, ACTOR, CAMERA, SIZE)


def scene(parameters: FaceParameters, gain: float = 1.0) -> Tensor:
    """Return the diffuse face with eyes before a grey wall, uint8 (N, SIZE, SIZE, 3); ``gain`` is light unknown to the model."""
    drawn = RENDERER.draw(parameters)
    face = torch.maximum(drawn[:, :3], drawn[:, 6:9]).float() * gain
    shown = (drawn[:, 3:9] > 0).any(1, keepdim=True)
    return torch.where(shown, face, torch.tensor(90.0)).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def inner_face(parameters: FaceParameters) -> npt.NDArray[np.bool_]:
    """Return the mask of the face without its rim and without the eyes, which stay the frame's."""
    drawn = RENDERER.draw(parameters)[0]
    skin = ((drawn[9] != EMPTY) & ~(drawn[6:9] > 0).any(0)).numpy().astype(np.uint8)
    return cv2.erode(skin, np.ones((9, 9))) > 0


@pytest.mark.parametrize("gain", [1.0, 0.85])
def test_the_wanted_expression_appears_in_the_frame_under_its_light(gain: float) -> None:
    own = make_parameters(MODEL, 1)
    names = MODEL.expression_names
    expression = own.expression.clone()
    expression[:, names.index("jawOpen")] = 0.7
    expression[:, names.index("browInnerUp")] = 0.8
    frame = scene(own, gain)
    wanted = own.replace(expression=expression, rotation=own.rotation + 0.05)  # the head pose stays the frame's
    (generated,) = RenderedFace(lambda _: frame, torch.tensor([0]), own, MODEL, ACTOR, CAMERA).frames(wanted)
    truth = scene(own.replace(expression=expression), gain)[0]
    face = inner_face(own.replace(expression=expression))

    def error(picture: Tensor) -> float:
        return float(np.abs(picture.numpy().astype(int) - truth.numpy().astype(int))[face].mean())

    assert error(generated) < 0.5 * error(frame[0])
    assert error(generated) < 1.5


def test_what_is_no_face_stays_as_it_was() -> None:
    parameters = make_parameters(MODEL, 8)
    frame = scene(parameters[:1])
    baseline = RenderedFace(
        lambda numbers: frame.expand(len(numbers), -1, -1, -1), torch.tensor([0]), parameters[:1], MODEL, ACTOR, CAMERA
    )
    generated = torch.stack(list(baseline.frames(parameters)))
    wall = RENDERER.regions(parameters[:1])[0] == EMPTY
    for number, picture in enumerate(generated):
        moved = RENDERER.regions(parameters[:1].replace(expression=parameters.expression[number : number + 1]))[0] != EMPTY
        untouched = wall & ~moved
        assert torch.equal(picture[untouched], frame[0][untouched])
