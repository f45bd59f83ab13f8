"""Mesh warps against image operations of other libraries, where the motion is known."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from skimage.data import astronaut
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_axis_angle
from lit_reenact.core.schema import EMPTY, FACE, Camera, FaceParameters
from lit_reenact.face import load_face_model
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.rendering.mesh_warp import MeshWarp
from tests.factories import make_actor, make_parameters

SIZE = 128
CAMERA = Camera(focal=4.5 * SIZE, width=SIZE, height=SIZE)


@pytest.fixture(scope="module")
def picture() -> Tensor:
    smooth = cv2.GaussianBlur(astronaut()[:256, 96:352], (0, 0), 4)
    return torch.from_numpy(cv2.resize(smooth, (SIZE, SIZE), interpolation=cv2.INTER_AREA))


def warp_picture(picture: Tensor, current: FaceParameters, desired: FaceParameters) -> tuple[Tensor, npt.NDArray[np.bool_]]:
    """Warp a picture from ``current`` to ``desired`` parameters; also return the desired face without its rim."""
    model = load_face_model("builtin")
    actor = make_actor(model)
    (warped,) = MeshWarp(model, actor, CAMERA)(picture[None], current, desired)
    face = ConditioningRenderer(model, actor, CAMERA, SIZE).regions(desired)[0] != EMPTY
    return warped, cv2.erode(face.numpy().astype(np.uint8), np.ones((7, 7))) > 0


def test_a_face_that_moves_sideways_takes_its_pixels_along(picture: Tensor) -> None:
    current = make_parameters(load_face_model("builtin"), 1)
    pixels = torch.tensor([6.0, -4.0])
    step = torch.cat([pixels * current.translation[0, 2] / CAMERA.focal, torch.zeros(1)])
    warped, face = warp_picture(picture, current, current.replace(translation=current.translation + step))
    # All points of one depth move by as many pixels; the others differ by less than a tenth of it.
    expected = np.roll(picture.numpy().astype(int), (-4, 6), (0, 1))
    assert np.abs(warped.numpy().astype(int) - expected)[face].mean() < 1.5
    assert np.abs(picture.numpy().astype(int) - expected)[face].mean() > 6


def test_a_head_that_tilts_turns_its_pixels(picture: Tensor) -> None:
    still = make_parameters(load_face_model("builtin"), 1)
    current = still.replace(rotation=torch.zeros(1, 3), translation=torch.tensor([[0.0, 0.0, 1100.0]]))
    tilt = axis_angle_to_matrix(torch.tensor([[0.0, 0.0, math.radians(-8)]]))
    desired = current.replace(rotation=matrix_to_axis_angle(tilt))
    warped, face = warp_picture(picture, current, desired)
    turn = cv2.getRotationMatrix2D((SIZE / 2 - 0.5, SIZE / 2 - 0.5), -8, 1)
    expected = cv2.warpAffine(picture.numpy(), turn, (SIZE, SIZE), flags=cv2.INTER_LINEAR).astype(int)
    assert np.abs(warped.numpy().astype(int) - expected)[face].mean() < 1.0
    assert np.abs(picture.numpy().astype(int) - expected)[face].mean() > 5


def test_paint_on_a_face_moves_with_the_face() -> None:
    """The correspondence image has a colour for every place of the head: warped, it is that of the desired parameters."""
    model = load_face_model("builtin")
    actor = make_actor(model)
    renderer = ConditioningRenderer(model, actor, CAMERA, SIZE)
    parameters = make_parameters(model, 40)
    current, desired = parameters[torch.tensor([0, 3, 11])], parameters[torch.tensor([8, 14, 20])]
    painted, expected = (renderer(which)[:, 3:6].permute(0, 2, 3, 1) for which in (current, desired))
    warped = MeshWarp(model, actor, CAMERA)(painted, current, desired)
    for one, other, before, region in zip(warped, expected, painted, renderer.regions(desired), strict=True):
        face = torch.from_numpy(cv2.erode((region == FACE).numpy().astype(np.uint8), np.ones((5, 5)))) > 0
        assert (one.int() - other.int())[face].abs().float().median() <= 1
        assert (before.int() - other.int())[face].abs().float().median() >= 4


def test_without_motion_nothing_moves_and_the_border_never_does(picture: Tensor) -> None:
    current = make_parameters(load_face_model("builtin"), 1)
    assert (warp_picture(picture, current, current)[0].int() - picture.int()).abs().max() <= 1
    moved, _ = warp_picture(picture, current, current.replace(translation=current.translation + torch.tensor([15.0, 0.0, 0.0])))
    assert (moved[0].int() - picture[0].int()).abs().float().mean() < 2
