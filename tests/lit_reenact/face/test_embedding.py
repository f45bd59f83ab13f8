"""The landmark embedding: known places are found again, on the small head and on a real model's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import LOWER_LIP_RIM, UPPER_LIP_RIM
from lit_reenact.core.geometry import euler_to_matrix
from lit_reenact.face import builtin_model
from lit_reenact.face.embedding import Embedding, embed_landmarks, join_lips, separate_lips
from lit_reenact.face.topology import SKIN
from tests.lit_reenact.face.small_models import head


def test_landmarks_are_found_on_a_head_of_another_size_and_pose() -> None:
    vertices, faces = (torch.from_numpy(values) for values in head())
    turn = euler_to_matrix(torch.tensor([0.05, -0.08, 0.03], dtype=torch.float64))
    moved = 1.06 * vertices @ turn.T
    moved += 1.5 * torch.sin(moved / 30)  # another person
    found = embed_landmarks(moved.float(), faces[:852])
    distance = (found.landmarks(moved.float()) - moved[:468]).norm(dim=1)
    assert distance.mean() < 1.0
    assert distance.quantile(0.95) < 2.5
    assert torch.allclose(found.weights.sum(1), torch.ones(468), atol=1e-5)
    assert len(found.corners) == 468


def test_a_mesh_that_is_no_face_is_refused() -> None:
    vertices, faces = (torch.from_numpy(values) for values in head())
    with pytest.raises(ReenactError, match=r"0\.001 times as large as a head"):
        embed_landmarks(vertices.float() / 1000, faces[:852])
    stick = vertices.float() * torch.tensor([0.05, 4.0, 0.05])
    with pytest.raises(ReenactError, match="must look along z, with y up"):
        embed_landmarks(stick, faces[:852])


def test_landmarks_on_the_wrong_lip_are_brought_home() -> None:
    model = builtin_model()
    jaw_open = model.expression_basis[model.expression_names.index("jawOpen")]
    skin = model.faces[model.region == SKIN]
    right = Embedding(model.landmark_corners, model.landmark_weights, model.landmark_offset)
    wrong = Embedding(right.corners.clone(), right.weights, right.offset.clone())
    wrong.corners[178], wrong.corners[402] = 81, 311  # facing them
    wrong.offset[178] = 3.0
    mended = separate_lips(wrong, model.vertices, jaw_open, skin)
    assert (mended(model.vertices) - model.vertices[:468]).norm(dim=1).max() < 1.5
    assert (mended(jaw_open) - jaw_open[:468]).norm(dim=1).max() < 1.5  # the upper lip hardly moves: 20 mm beside
    assert mended.offset.abs().max() == 0
    untouched = separate_lips(right, model.vertices, jaw_open, skin)
    assert torch.equal(untouched.corners, right.corners)


def test_facing_lips_share_their_offset() -> None:
    model = builtin_model()
    noise = torch.randn(468, 3, generator=torch.Generator().manual_seed(0))
    shared = join_lips(Embedding(model.landmark_corners, model.landmark_weights, noise)).offset
    for upper, lower in zip(UPPER_LIP_RIM, LOWER_LIP_RIM, strict=True):
        assert torch.allclose(shared[[upper, lower]], (noise[upper] + noise[lower]) / 2)
    others = sorted(set(range(468)) - {*UPPER_LIP_RIM, *LOWER_LIP_RIM})
    assert torch.equal(shared[others], noise[others])


def test_the_tool_agrees_with_the_embedding_that_a_real_model_brings(shared_dir: Path) -> None:
    with np.load(shared_dir / "assets" / "ict_facekit.npz") as arrays:
        vertices, faces = torch.from_numpy(arrays["vertices"]), torch.from_numpy(arrays["faces"]).long()
        brought = Embedding(*(torch.from_numpy(arrays[f"lm468_{name}"]) for name in ("tri", "bary", "offset")))
        skin = faces[torch.from_numpy(arrays["region"])[faces].amax(1) <= 1]
    found = embed_landmarks(vertices, skin)
    distance = (found(vertices) - brought.landmarks(vertices)).norm(dim=1)
    assert distance.mean() < 0.8  # mm; 0.61 when this was written
    assert distance.quantile(0.9) < 1.5
