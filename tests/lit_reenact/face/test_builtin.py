"""The built-in model: real-life size, symmetry, lids and lips that meet, an unwrapping without overlaps."""

from __future__ import annotations

import dataclasses
import time

import pytest
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import LOWER_LIP_RIM, MIDLINE, RIGHT_LOWER_LID, RIGHT_UPPER_LID, UPPER_LIP_RIM, mirror_points
from lit_reenact.face import FaceModel, builtin_model, load_face_model, vertex_normals
from lit_reenact.face.topology import HEAD, SKIN
from lit_reenact.face.unwrapping import border


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return builtin_model()


def field(model: FaceModel, name: str) -> Tensor:
    return model.expression_basis[model.expression_names.index(name)]


def reflected(model: FaceModel, values: Tensor) -> Tensor:
    return values[..., model.mirror_vertices, :] * torch.tensor([-1.0, 1.0, 1.0])


def gap(vertices: Tensor, upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    return float((vertices[list(upper)] - vertices[list(lower)]).norm(dim=1).max())


def test_loading(model: FaceModel) -> None:
    assert load_face_model("builtin") is model
    with pytest.raises(ReenactError, match="'nobody'"):
        load_face_model("nobody")
    builtin_model.cache_clear()
    start = time.perf_counter()
    again = builtin_model()
    assert time.perf_counter() - start < 3  # 0.3 s on a quiet machine
    assert again.hash == model.hash


def test_shapes_and_types(model: FaceModel) -> None:
    count, size = len(model.expression_names), len(model.vertices)
    expected = {
        "vertices": (size, 3), "uv": (size, 2), "correspondence": (size, 3), "identity_basis": (78, size, 3),
        "identity_scale": (78,), "expression_basis": (count, size, 3), "expression_bounds": (count, 2), "eyeballs": (2, 3),
        "inner_albedo": (len(model.inner_faces), 3),
    }  # fmt: skip
    for name, shape in expected.items():
        tensor = getattr(model, name)
        assert tensor.shape == shape, name
        assert tensor.dtype == torch.float32, name
        assert tensor.isfinite().all(), name
    assert len(set(model.expression_names)) == count
    for name, (low, high) in zip(model.expression_names, model.expression_bounds.tolist(), strict=True):
        assert high >= 1, name
        assert low == (-high if "-" in name else 0), name
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.name = "other"  # type: ignore[misc]


def test_real_life_size_in_head_axes(model: FaceModel) -> None:
    mean = model.vertices
    assert 85 < (mean[263] - mean[33]).norm() < 100  # outer eye corners
    assert 140 < mean[10, 1] - mean[152, 1] < 190  # forehead to chin
    assert mean[33, 0] < 0 < mean[263, 0]  # left is +x
    assert int(mean[:, 2].argmax()) in (1, 4)  # the tip of the nose is foremost
    assert model.eyeballs.mean(0).abs().max() < 1e-6
    assert 58 < model.eyeballs[0, 0] - model.eyeballs[1, 0] < 68
    lids = (*RIGHT_UPPER_LID, *RIGHT_LOWER_LID)
    for centre, rim in zip(model.eyeballs, (mirror_points(lids), lids), strict=True):
        assert (mean[list(rim)] - centre).norm(dim=1).min() > model.eye_radius  # in front of the eyeball
    assert 0 < gap(mean, UPPER_LIP_RIM, LOWER_LIP_RIM) < 0.5


def test_symmetry(model: FaceModel) -> None:
    assert torch.equal(reflected(model, model.vertices), model.vertices)
    assert model.vertices[list(MIDLINE), 0].abs().max() == 0
    assert torch.equal(model.mirror_vertices[model.mirror_vertices], torch.arange(len(model.vertices)))
    for name in model.expression_names:
        if "-" in name:  # sideways: reversed in the mirror
            assert torch.allclose(reflected(model, field(model, name)), -field(model, name), atol=2e-4), name
        elif name.endswith("Left"):
            other = field(model, name.removesuffix("Left") + "Right")
            assert torch.allclose(reflected(model, field(model, name)), other, atol=2e-4), name
        elif not name.endswith("Right"):
            assert torch.allclose(reflected(model, field(model, name)), field(model, name), atol=2e-4), name


def test_left_is_the_subjects_left(model: FaceModel) -> None:
    left = model.vertices[:468, 0] > 0
    for name in model.expression_names:
        energy = field(model, name)[:468].square().sum(-1)
        if "-" in name:
            assert field(model, name)[17, 0] > 5, name
        elif name.endswith(("Left", "Right")):
            assert (energy[left].sum() > 4 * energy[~left].sum()) == name.endswith("Left"), name


def test_normals_point_outward(model: FaceModel) -> None:
    normals = vertex_normals(model.vertices[None], model.faces[model.region != HEAD])[0]
    assert (normals[:468, 2] > 0).all()


def test_blink_closes_the_eye_in_front_of_the_eyeball(model: FaceModel) -> None:
    closed = model.vertices + field(model, "eyeBlinkRight")
    assert gap(model.vertices, RIGHT_UPPER_LID, RIGHT_LOWER_LID) > 8
    assert gap(closed, RIGHT_UPPER_LID, RIGHT_LOWER_LID) < 0.3
    lids = [*RIGHT_UPPER_LID, *RIGHT_LOWER_LID]
    assert (closed[lids] - model.eyeballs[1]).norm(dim=1).min() > model.eye_radius
    left_lids = list(mirror_points(tuple(lids)))
    assert field(model, "eyeBlinkRight")[left_lids].abs().max() < 0.2  # the other eye stays open


def test_jaw_and_lips(model: FaceModel) -> None:
    opened = field(model, "jawOpen")
    assert 25 < opened[152].norm() < 31
    assert opened[152, 1] < -15
    assert opened[[1, 33, 10]].norm(dim=1).max() < 0.5
    assert gap(model.vertices + opened, UPPER_LIP_RIM, LOWER_LIP_RIM) > 15
    sealed = model.vertices + opened + field(model, "mouthClose")
    assert gap(sealed, UPPER_LIP_RIM, LOWER_LIP_RIM) < 0.5
    assert (sealed - model.vertices)[152].norm() > 25  # while the jaw is still open


def test_unwrapping_is_injective(model: FaceModel) -> None:
    a, b, c = model.uv.double()[model.faces].unbind(1)
    one, other = b - a, c - a
    area = (one[:, 1] * other[:, 0] - one[:, 0] * other[:, 1]) / 2  # positive: v grows downward
    assert torch.equal(model.uv, model.uv.clamp(0, 1))
    assert (area > 0).all()  # none is flipped; with an outline that does not cross itself this excludes overlaps
    for faces in (model.faces, model.faces[model.region != HEAD]):
        (outline,) = border(faces)
        side = model.uv[outline.roll(-1)] - model.uv[outline]
        turns = side[:, 1] * side.roll(-1, 0)[:, 0] - side[:, 0] * side.roll(-1, 0)[:, 1]
        assert len(turns) == 36
        assert turns.min() > 0  # the outline is convex
    face = model.uv[:468]
    assert (face.amax(0) - face.amin(0)).min() > 0.8  # of the square's side
    assert area[model.region == SKIN].sum() > 0.5
    assert model.uv[263, 0] > model.uv[33, 0]
    assert model.uv[152, 1] > model.uv[10, 1]


def test_texels_on_the_features(model: FaceModel) -> None:
    texels = model.uv * 256
    assert (texels[263] - texels[33]).norm() > 80  # between the outer eye corners
    assert texels[291, 0] - texels[61, 0] > 40  # across the mouth
    assert texels[17, 1] - texels[0, 1] > 13  # over both lips
    assert texels[53, 1] - texels[63, 1] > 4  # over a brow


def test_correspondence_is_a_colour_of_its_own(model: FaceModel) -> None:
    assert torch.equal(model.correspondence, model.correspondence.clamp(0, 1))
    colour = model.correspondence[torch.unique(model.faces)]
    distance = torch.cdist(colour, colour, compute_mode="donot_use_mm_for_euclid_dist") + torch.eye(len(colour))
    assert distance.min() > 1e-4
    face, head = model.correspondence[:468], model.correspondence
    assert torch.allclose(face.amax(0) - face.amin(0), torch.tensor([0.8, 0.8, 0.8]), atol=1e-3)
    for axis in range(3):  # a place further along an axis has more of its colour, in the head too
        order = model.vertices[:, axis].argsort()
        assert (head[order, axis].diff() >= 0).all()


def test_identity_modes(model: FaceModel) -> None:
    modes = model.identity_basis[:, :468].double().flatten(1)
    assert torch.allclose(modes @ modes.T / 468, torch.eye(78).double(), atol=1e-3)  # orthogonal, 1 mm root mean square
    assert modes.reshape(78, 468, 3).mean(1).abs().max() < 1e-3  # none moves the whole head
    scale = model.identity_scale
    assert (scale > 0).all()
    assert (scale[3:] <= scale[:-3]).all()  # the finer, the weaker
