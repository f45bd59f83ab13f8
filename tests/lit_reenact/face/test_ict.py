"""ICT-FaceKit: a small folder of .obj files written here, and the real model where it is present."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import LOWER_LIP_RIM, RIGHT_LOWER_LID, RIGHT_UPPER_LID, UPPER_LIP_RIM, mirror_points
from lit_reenact.face import FaceModel, builtin_model, ict, load_face_model, vertex_normals
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, HEAD, MOUTH, SKIN
from tests.lit_reenact.face.small_models import Array, builtin_field, head, smooth_fields

HALVED = {"browInnerUp", "cheekPuff"}
"""Shapes of both sides that ICT-FaceKit stores as one for each side."""


def write_obj(path: Path, vertices: Array, polygons: list[list[int]]) -> None:
    lines = ["# comment", "mtllib some.mtl", *(f"v {x:.7f} {y:.7f} {z:.7f}" for x, y, z in vertices), "vt 0.5 0.5"]
    lines += [f"f {' '.join(f'{corner + 1}/1/1' for corner in polygon)}" for polygon in polygons]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the small head in the form of the published folder: centimetres, '_L' names, opposite shapes apart, other files."""
    vertices, faces = head()
    count = len(vertices)
    monkeypatch.setattr(ict, "VERTEX_COUNT", count)
    monkeypatch.setattr(ict, "REGIONS", {SKIN: (0, 468)})  # the tetrahedra are eyeballs, and stay out
    monkeypatch.setattr(ict, "IDENTITIES", 3)
    shapes = {f"identity{k:03d}": field for k, field in enumerate(smooth_fields(3, vertices))}
    for name in builtin_model().expression_names:
        field = builtin_field(name, vertices)
        positive, _, negative = name.partition("-")
        if negative:
            shapes |= {positive: field, negative: -3 * field}  # of another strength: they are merged by half the difference
        elif name in HALVED:
            shapes |= {f"{name}_L": 0.25 * field, f"{name}_R": 0.75 * field}
        elif name.endswith("Left"):
            shapes[name.removesuffix("Left") + "_L"] = field
        elif name.endswith("Right"):
            shapes[name.removesuffix("Right") + "_R"] = field
        else:
            shapes[name] = field
    shapes |= {"eyeLookUp_L": vertices, "PupilDilate_L": vertices}
    polygons = faces.tolist()
    write_obj(tmp_path / "generic_neutral_mesh.obj", vertices / 10, polygons)
    for name, field in shapes.items():
        write_obj(tmp_path / f"{name}.obj", (vertices + field) / 10, polygons)
    return tmp_path


def test_folder_of_obj_files(folder: Path) -> None:
    model, builtin = load_face_model(str(folder)), builtin_model()
    assert load_face_model(str(folder)) is model
    assert model.name == str(folder)
    assert model.expression_names == builtin.expression_names
    assert torch.equal(model.expression_bounds, builtin.expression_bounds)
    assert len(model.vertices) == 468 + 3  # and the middle of each opening
    assert torch.allclose(model.vertices[:468], builtin.vertices[:468], atol=1.0)  # in head axes, millimetres
    assert torch.allclose(model.landmarks(model.vertices), builtin.vertices[:468], atol=1.5)
    for k, name in enumerate(model.expression_names):
        twice = 2 if "-" in name else 1
        assert torch.allclose(model.expression_basis[k, :468], twice * builtin.expression_basis[k, :468], atol=0.2), name
    vertices, _ = head()
    assert torch.allclose(model.identity_basis[:, :468], torch.from_numpy(smooth_fields(3, vertices)[:, :468]).float(), atol=0.05)
    assert {int(region): int((model.region == region).sum()) for region in torch.unique(model.region)} == {
        SKIN: 852, EYE_LEFT: 16, EYE_RIGHT: 16, MOUTH: 20,
    }  # fmt: skip
    assert (vertex_normals(model.vertices[None], model.faces)[0, :, 2] > -0.2).all()  # the fans face outward too
    assert torch.allclose(model.eyeballs, builtin.eyeballs, atol=1.0)


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "jawOpen.obj").unlink()
    with pytest.raises(ReenactError, match="lacks the expression jawOpen"):
        ict.read_ict(folder)
    (folder / "identity001.obj").unlink()
    with pytest.raises(ReenactError, match=r"identity001\.obj cannot be read"):
        ict.read_ict(folder)
    (folder / "generic_neutral_mesh.obj").write_text("v 1 2 3\nf 1 1 1\n")
    with pytest.raises(ReenactError, match="has 1 vertices"):
        ict.read_ict(folder)
    np.savez(folder / "other.npz", vertices=np.zeros((3, 3)))
    with pytest.raises(ReenactError, match="lacks the array expression, expression_names, faces, identity, source_index"):
        load_face_model(str(folder / "other.npz"))


def test_obj_polygons_are_fanned_out(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvn 0 0 1\nf 1//1 2//1 3//1 4//1\nf 1 2 4\n")
    vertices, faces = ict.read_obj(tmp_path / "a.obj")
    assert vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 3]]
    (tmp_path / "a.obj").write_text("v 0 zero 0\n")
    with pytest.raises(ReenactError, match=r"a\.obj is not a readable \.obj file"):
        ict.read_obj(tmp_path / "a.obj")


@pytest.fixture(scope="module")
def real(shared_dir: Path) -> FaceModel:
    return load_face_model(str(shared_dir / "assets" / "ict_facekit.npz"))


def test_real_model_lies_over_the_builtin_one(real: FaceModel) -> None:
    builtin = builtin_model()
    distance = (real.landmarks(real.vertices) - builtin.vertices[:468]).norm(dim=1)
    assert distance.mean() < 0.3
    assert (real.eyeballs - builtin.eyeballs).abs().max() < 0.3
    assert real.expression_names == builtin.expression_names
    assert real.identity_basis.shape == (100, len(real.vertices), 3)


def test_real_expressions_do_what_their_names_say(real: FaceModel) -> None:
    builtin = builtin_model()
    ours, theirs = builtin.at_landmarks(builtin.expression_basis).flatten(1), real.at_landmarks(real.expression_basis).flatten(1)
    alike = torch.nn.functional.cosine_similarity(ours, theirs, dim=1)
    assert alike.min() > 0.3
    assert alike.median() > 0.8
    jaw = real.at_landmarks(real.expression_basis[real.expression_names.index("jawOpen")])[..., 1]
    upper, lower = jaw[list(UPPER_LIP_RIM[1:-1])], jaw[list(LOWER_LIP_RIM[1:-1])]
    assert (lower < upper - 5).all()  # every landmark lies on its own lip


def test_real_mesh_is_whole(real: FaceModel) -> None:
    edges = torch.cat([real.faces[:, [0, 1]], real.faces[:, [1, 2]], real.faces[:, [2, 0]]])
    _, count = torch.unique(edges.sort(1).values, dim=0, return_counts=True)
    assert count.max() == 2
    rim = torch.unique(torch.unique(edges.sort(1).values, dim=0)[count == 1])
    assert ((real.vertices[rim, 1] < -140) | (real.vertices[rim, 2] < -125)).all()  # open at the neck and the back alone
    assert set(torch.unique(real.region).tolist()) == {SKIN, EYE_LEFT, EYE_RIGHT, MOUTH, HEAD}
    assert real.vertices[real.faces[real.region == EYE_LEFT], 0].min() > 0
    lids = (*RIGHT_UPPER_LID, *RIGHT_LOWER_LID)
    for centre, points in zip(real.eyeballs, (mirror_points(lids), lids), strict=True):
        assert (real.landmarks(real.vertices)[list(points)] - centre).norm(dim=1).min() > real.eye_radius


def test_real_unwrapping_is_injective(real: FaceModel) -> None:
    a, b, c = real.uv.double()[real.faces[(real.region == SKIN) | (real.region == HEAD)]].unbind(1)
    one, other = b - a, c - a
    area = (one[:, 1] * other[:, 0] - one[:, 0] * other[:, 1]) / 2  # positive: v grows downward
    assert (area > 0).float().mean() > 0.9995  # rounding may turn a sliver inside an ear
    assert area.sum() > 0.7  # of the square
    assert torch.equal(real.uv, real.uv.clamp(0, 1))
    texels = real.at_landmarks(real.uv) * 256
    assert texels[263, 0] - texels[33, 0] > 70  # between the outer eye corners
    assert texels[152, 1] - texels[10, 1] > 140  # forehead to chin
