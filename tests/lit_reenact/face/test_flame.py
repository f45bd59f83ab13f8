"""FLAME: skinning against a slow second implementation, files as published, and pickles that would run code."""

from __future__ import annotations

import math
import os
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import RIGHT_LOWER_LID, RIGHT_UPPER_LID
from lit_reenact.face import builtin_model, load_face_model
from lit_reenact.face.flame import JAW, JAW_OPEN, load_flame
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, MOUTH, SKIN
from tests.lit_reenact.face.small_models import ORIGIN, Array, builtin_field, head, smooth_fields

EXPRESSIONS = 4


def flame_arrays() -> dict[str, Any]:
    """Return the small head under FLAME's field names: metres, float64, root's parent 2^32 - 1, 300 shapes, some expressions."""
    random = np.random.default_rng(0)
    vertices, faces = head()
    count = len(vertices)
    places = np.array([[0, -120, -80], [0, -100, -70], [0, -20, -70], [31, 0, 0], [-31, 0, 0]]) - ORIGIN  # root ... eyes
    regressor = np.zeros((5, count))
    for joint, place in enumerate(places):
        near = np.linalg.norm(vertices - place, axis=1).argsort()[:8]
        regressor[joint, near] = random.dirichlet(np.ones(8))
    travel = np.linalg.norm(builtin_field("jawOpen", vertices), axis=1)
    jaw = travel / travel.max()
    weights = np.stack([0 * jaw, 1 - jaw, jaw, 0 * jaw, 0 * jaw], 1)
    weights[468:472], weights[472:] = np.eye(5)[3], np.eye(5)[4]
    shapes = 0.001 * smooth_fields(300 + EXPRESSIONS, vertices)
    return {
        "v_template": vertices / 1000,
        "shapedirs": np.moveaxis(shapes, 0, -1),
        "posedirs": 0.0005 * random.normal(size=(count, 3, 36)),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], dtype=np.uint32),
        "f": faces.astype(np.uint32),
    }


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    path = tmp_path / "flame.npz"
    np.savez(path, **flame_arrays())
    return path


def turn(vector: Array) -> Array:
    """Return a rotation matrix by the series of the exponential."""
    x, y, z = vector
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    result, term = np.eye(3), np.eye(3)
    for n in range(1, 30):
        term = term @ skew / n
        result = result + term
    return result


def slow_flame(a: dict[str, Any], shape: Array, expression: Array, pose: Array) -> Array:
    """Skin one vertex after another, with 4 x 4 matrices."""
    shaped = a["v_template"].copy()
    for k, amount in enumerate(shape):
        shaped += amount * a["shapedirs"][:, :, k]
    for k, amount in enumerate(expression):
        shaped += amount * a["shapedirs"][:, :, 300 + k]
    joints = a["J_regressor"] @ shaped
    rotations = [turn(vector) for vector in pose]
    entries = np.concatenate([(rotation - np.eye(3)).ravel() for rotation in rotations[1:]])
    parents = [None, 0, 1, 1, 1]
    world: list[Array] = []
    for joint, parent in enumerate(parents):
        local = np.eye(4)
        local[:3, :3] = rotations[joint]
        local[:3, 3] = joints[joint] - (0 if parent is None else joints[parent])
        world.append(local if parent is None else world[parent] @ local)
    result = []
    for v, point in enumerate(shaped):
        corrected = point + a["posedirs"][v] @ entries
        total = np.zeros(3)
        for joint in range(5):
            total += a["weights"][v, joint] * (world[joint] @ np.append(corrected - joints[joint], 1))[:3]
        result.append(total)
    return np.array(result)


def test_skinning_against_a_slow_second_implementation(npz: Path) -> None:
    random = np.random.default_rng(1)
    flame = load_flame(npz)
    shape, expression, pose = random.normal(size=(2, 7)), random.normal(size=(2, 3)), 0.4 * random.normal(size=(2, 5, 3))
    meshes = flame(*(torch.from_numpy(values).float() for values in (shape, expression, pose)))
    for k in range(2):
        assert np.abs(meshes[k].numpy() - slow_flame(flame_arrays(), shape[k], expression[k], pose[k])).max() < 1e-6  # metres


def test_at_rest_it_is_the_template(npz: Path) -> None:
    mesh = load_flame(npz)(torch.zeros(1, 0), torch.zeros(1, 0), torch.zeros(1, 5, 3))[0]
    assert np.allclose(mesh.numpy(), flame_arrays()["v_template"], atol=1e-7)


def test_half_a_jaw_is_as_far_off_as_is_said(npz: Path) -> None:
    arrays = flame_arrays() | {"posedirs": np.zeros((476, 3, 36))}
    np.savez(npz, **arrays)
    flame = load_flame(npz)
    half, full = (flame.displacement(JAW, (share * JAW_OPEN, 0, 0)) * 1000 for share in (0.5, 1.0))
    chin = 152
    joint = (flame.J_regressor @ flame.v_template)[JAW]
    lever = float((flame.v_template[chin] - joint)[1:].norm()) * 1000
    assert 60 < lever < 130
    assert float((half - full / 2)[chin].norm()) == pytest.approx(lever * (1 - math.cos(JAW_OPEN / 2)), rel=0.02)
    assert float((half - full / 2)[chin].norm()) < 1.8
    assert full[chin].norm() > 30
    assert (full[chin, 1:] < 0).all()  # down and back


def test_as_a_face_model(npz: Path) -> None:
    model, builtin = load_face_model(str(npz)), builtin_model()
    assert len(model.vertices) == 468 + 3  # without the loose eyeballs, and with the middle of each opening
    assert torch.allclose(model.landmarks(model.vertices), builtin.vertices[:468], atol=1.5)
    assert torch.allclose(model.eyeballs, builtin.eyeballs, atol=0.5)
    counts = {int(region): int((model.region == region).sum()) for region in torch.unique(model.region)}
    assert counts == {SKIN: 852, EYE_LEFT: 16, EYE_RIGHT: 16, MOUTH: 20}
    components = {f"component{k:02d}" for k in range(EXPRESSIONS)}
    assert set(model.expression_names) == components | {"jawOpen", "jawLeft-jawRight", "eyeBlinkLeft", "eyeBlinkRight"}
    signed = {name for name, (low, _) in zip(model.expression_names, model.expression_bounds.tolist(), strict=True) if low < 0}
    assert signed == components | {"jawLeft-jawRight"}
    assert torch.allclose(
        model.identity_basis[7, :468], torch.from_numpy(flame_arrays()["shapedirs"][:468, :, 7] * 1000).float(), atol=0.05
    )
    fields = dict(zip(model.expression_names, model.at_landmarks(model.expression_basis), strict=True))
    assert fields["jawOpen"][152].norm() > 25
    assert (fields["jawOpen"][152, 1:] < 0).all()  # down and back
    assert fields["jawLeft-jawRight"][152, 0] > 3  # to the subject's left
    closed = model.landmarks(model.vertices) + fields["eyeBlinkRight"]
    assert (closed[list(RIGHT_UPPER_LID)] - closed[list(RIGHT_LOWER_LID)]).norm(dim=1).max() < 3


def pickled(arrays: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return the bytes of a pickle like the published files: chumpy arrays and a sparse regressor, protocol 2."""

    class Ch:
        def __init__(self, x: Array) -> None:
            self.x, self.dirty = x, {"a": (1, 2)}

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    chumpy, submodule = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")
    submodule.Ch = Ch  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "chumpy", chumpy)
        patch.setitem(sys.modules, "chumpy.ch", submodule)
        content = arrays | {name: Ch(arrays[name]) for name in ("v_template", "shapedirs", "posedirs")}
        content |= {"J_regressor": scipy.sparse.csc_matrix(arrays["J_regressor"]), "bs_type": "lrotmin", "bs_style": "lbs"}
        return pickle.dumps(content, protocol=2)


def test_published_pickle_is_read_without_chumpy(npz: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = npz.with_suffix(".pkl")
    path.write_bytes(pickled(flame_arrays(), monkeypatch))
    assert "chumpy" not in sys.modules
    one, other = load_flame(path), load_flame(npz)
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "faces"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert one.parents == other.parents == (-1, 0, 1, 1, 1)
    assert load_face_model(str(path)).hash == load_face_model(str(npz)).hash


class Evil:
    """Object whose pickle is a function call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("function", ["eval", "exec", "system", "load", "array"])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path, function: str, protocol: int) -> None:
    path, marker = tmp_path / "flame.pkl", tmp_path / "was here"
    calls = {
        "eval": Evil(eval, f"open({str(marker)!r}, 'w').close()"),
        "exec": Evil(exec, f"open({str(marker)!r}, 'w').close()"),
        "system": Evil(os.system, f"touch '{marker}'"),
        "load": Evil(np.load, str(marker)),
        "array": np.array([Evil(eval, f"open({str(marker)!r}, 'w').close()")], dtype=object),
    }
    path.write_bytes(pickle.dumps({"v_template": calls[function]}, protocol=protocol))
    with pytest.raises(ReenactError, match="a pickle can run any program") as caught:
        load_face_model(str(path))
    assert f".{'eval' if function == 'array' else function}" in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    "content", [b"cbuiltins\ngetattr\n.", b"ccopyreg\n_reconstructor\n(cnumpy\nndarray\ncbuiltins\nobject\nNtR."]
)
def test_nothing_but_records_is_made_from_names(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "flame.pkl").write_bytes(content)
    with pytest.raises(ReenactError, match=r"it asks for builtins\.getattr|an object of"):
        load_face_model(str(tmp_path / "flame.pkl"))


def test_what_is_missing_or_misshapen_is_named(npz: Path) -> None:
    arrays = flame_arrays()
    np.savez(npz, **{name: array for name, array in arrays.items() if name != "posedirs"})
    with pytest.raises(ReenactError, match="lacks the array posedirs"):
        load_flame(npz)
    np.savez(npz, **arrays | {"weights": arrays["weights"][:-1]})
    with pytest.raises(ReenactError, match=r"weights has shape \(475, 5\), not \(476, 5\)"):
        load_flame(npz)
    np.savez(npz, **arrays | {"shapedirs": arrays["shapedirs"][..., :100]})
    with pytest.raises(ReenactError, match="shapedirs has shape"):
        load_flame(npz)
