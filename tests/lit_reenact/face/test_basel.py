"""Basel models: the arrays of the published fields, and the file where h5py is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.face import builtin_model, load_face_model
from lit_reenact.face.basel import assemble_basel
from lit_reenact.face.model import FaceModel
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, MOUTH, SKIN
from tests.lit_reenact.face.small_models import builtin_field, head, smooth_fields


def basel_arrays() -> dict[str, Any]:
    """Return the small head as statismo files hold it: flat means that add up to the face, unit columns, triangles in columns."""
    vertices, faces = head()
    vertices, faces = vertices[:468], faces[:852]
    shape = smooth_fields(5, vertices).reshape(5, -1)
    expression = np.stack([builtin_field(name, head()[0])[:468].ravel() for name in ("jawOpen", "mouthSmileLeft", "browInnerUp")])
    extra = 0.1 * smooth_fields(1, vertices, seed=3)[0].ravel()
    arrays: dict[str, Any] = {"shape/representer/cells": faces.T.astype(np.int32)}
    for part, fields, mean in (("shape", shape, vertices.ravel() - extra), ("expression", expression, extra)):
        length = np.linalg.norm(fields, axis=1)
        arrays |= {
            f"{part}/model/mean": mean.astype(np.float32),
            f"{part}/model/pcaBasis": (fields / length[:, None]).T.astype(np.float32),
            f"{part}/model/pcaVariance": (length**2).astype(np.float32),
        }
    return arrays


def check(model: FaceModel) -> None:
    builtin = builtin_model()
    assert torch.allclose(model.landmarks(model.vertices), builtin.vertices[:468], atol=1.5)
    counts = {int(region): int((model.region == region).sum()) for region in torch.unique(model.region)}
    assert counts == {SKIN: 852, EYE_LEFT: 16, EYE_RIGHT: 16, MOUTH: 20}
    vertices, _ = head()
    expected = torch.from_numpy(smooth_fields(5, vertices[:468])).float()
    assert torch.allclose(model.identity_basis[:, :468], expected, atol=0.05)  # a standard deviation, mm
    assert torch.equal(model.identity_scale, torch.ones(5))
    fields = dict(zip(model.expression_names, model.expression_basis, strict=True))
    assert set(fields) == {"component00", "component01", "component02", "jawOpen", "eyeBlinkLeft", "eyeBlinkRight"}
    theirs = {
        name: builtin.expression_basis[builtin.expression_names.index(name), :468] for name in ("jawOpen", "mouthSmileLeft")
    }
    assert torch.allclose(fields["component01"][:468], 3 * theirs["mouthSmileLeft"], atol=0.5)
    assert (fields["jawOpen"][:468] - theirs["jawOpen"]).norm(dim=1).mean() < 1.0  # found among its components


def test_arrays_become_a_face_model() -> None:
    check(assemble_basel(basel_arrays()))


def test_file(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py, the extra 'basel', is not installed")
    path = tmp_path / "model2019.h5"
    with h5py.File(path, "w") as file:
        for name, array in basel_arrays().items():
            file[name] = array
    check(load_face_model(str(path)))
    half = tmp_path / "half.h5"
    with h5py.File(path, "r") as file, h5py.File(half, "w") as copy:
        file.copy("shape", copy)
    with pytest.raises(ReenactError, match="lacks expression/model/mean"):
        load_face_model(str(half))


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    path = tmp_path / "model.h5"
    path.touch()
    with pytest.raises(ReenactError, match=r"pip install 'lit_reenact\[basel\]'"):
        load_face_model(str(path))
