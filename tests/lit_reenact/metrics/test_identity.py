"""Identity similarity and Frechet distance, with networks so small that their features are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from scipy.linalg import sqrtm
from skimage.transform import SimilarityTransform, warp
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.evaluation.recognition import measure_fid, measure_identity
from lit_reenact.metrics.alignment import similarity_transform
from lit_reenact.metrics.backbones import OnnxBackbone
from lit_reenact.metrics.identity import PLACES, align_faces, five_points


def write_network(path: Path, size: int, pieces: int = 4, batch: int | str = "N") -> Path:
    """Write a network whose features are the mean colours of a grid of pieces x pieces, 3 each."""
    side = size // pieces
    nodes = [
        helper.make_node("AveragePool", ["pictures"], ["means"], kernel_shape=[side, side], strides=[side, side]),
        helper.make_node("Flatten", ["means"], ["features"]),
    ]
    pictures = helper.make_tensor_value_info("pictures", TensorProto.FLOAT, [batch, 3, size, size])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, [batch, 3 * pieces**2])
    graph = helper.make_graph(nodes, "means", [pictures], [features])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


@pytest.fixture
def landmarks() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 20 + 60 * torch.rand(3, 478, 3, generator=generator)


def test_similarity_transform_equals_that_of_scikit_image(landmarks: Tensor) -> None:
    points = five_points(landmarks)
    ours = similarity_transform(points, torch.tensor(PLACES))
    for row, source in zip(ours, points, strict=True):
        theirs = SimilarityTransform.from_estimate(source.numpy(), np.array(PLACES)).params[:2]
        assert np.allclose(row.numpy(), theirs, atol=1e-4)


def test_aligned_faces_lie_where_recognition_expects_them(landmarks: Tensor) -> None:
    frames = (torch.rand(1, 12, 12, 3, generator=torch.Generator().manual_seed(1)) * 255).permute(0, 3, 1, 2)
    frames = torch.nn.functional.interpolate(frames, (100, 100), mode="bicubic").clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    face = align_faces(frames, landmarks[:1])[0]
    placed = SimilarityTransform.from_estimate(five_points(landmarks)[0].numpy() - 0.5, np.array(PLACES))
    theirs = warp(frames[0].numpy() / 127.5 - 1, placed.inverse, output_shape=(112, 112), order=1, cval=0)
    inside = warp(np.ones((100, 100)), placed.inverse, output_shape=(112, 112), order=1) > 0.999
    assert inside.mean() > 0.1
    assert np.abs(face.permute(1, 2, 0).numpy() - theirs)[inside].max() < 0.02


def test_identity_similarity_by_hand(tmp_path: Path, landmarks: Tensor) -> None:
    network = write_network(tmp_path / "network.onnx", 112, pieces=1)
    real = torch.full((3, 100, 100, 3), 255, dtype=torch.uint8)
    corners = torch.tensor([[30.0, 30], [70, 30], [50, 50], [35, 70], [65, 70]])  # the cut lies within the frame
    for number, (landmark, *_) in enumerate(([33], [263], [1], [61], [291])):
        landmarks[:, landmark, :2] = corners[number]
    landmarks[:, 133, :2], landmarks[:, 362, :2] = corners[0], corners[1]
    landmarks[2] = torch.nan
    generated = real.clone()
    generated[1, ..., 2] = 0  # features (1, 1, -1) against (1, 1, 1)
    inside = align_faces(real, landmarks)[0].mean(dim=(1, 2))
    similarity = measure_identity({"generated": generated}, real, landmarks, OnnxBackbone(network))["generated"]
    assert similarity[0] == pytest.approx(1)
    yellow = inside * torch.tensor([1.0, 1, -1])
    by_hand = float(yellow @ inside / (yellow.norm() * inside.norm()))
    assert similarity[1] == pytest.approx(by_hand, abs=1e-4)
    assert bool(similarity[2].isnan())


@pytest.mark.parametrize("batch", ["N", 1])
def test_frechet_distance_equals_its_formula(tmp_path: Path, batch: int | str) -> None:
    network = write_network(tmp_path / "network.onnx", 16, pieces=1, batch=batch)
    generator = torch.Generator().manual_seed(0)
    generated, real = (torch.randint(0, high, (40, 16, 16, 3), generator=generator, dtype=torch.uint8) for high in (256, 200))
    a, b = ((x.double() / 127.5 - 1).mean((1, 2)).numpy() for x in (generated, real))
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    formula = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real)
    distances = measure_fid({"first": real, "generated": generated}, real, OnnxBackbone(network))
    assert distances["generated"] == pytest.approx(formula, rel=1e-3)  # independent of the distances computed before it
    assert distances["first"] == pytest.approx(0, abs=1e-6)


def test_unusable_networks_are_named(tmp_path: Path) -> None:
    (tmp_path / "words.onnx").write_text("no network")
    with pytest.raises(ReenactError, match=r"words.onnx is no ONNX network"):
        OnnxBackbone(tmp_path / "words.onnx")
    with pytest.raises(ReenactError, match=r"missing.onnx: there is no such file"):
        OnnxBackbone(tmp_path / "missing.onnx")
    with pytest.raises(ReenactError, match="not square RGB pictures"):
        OnnxBackbone(_grey(tmp_path / "grey.onnx"))


def _grey(path: Path) -> Path:
    nodes = [helper.make_node("Flatten", ["grey"], ["features"])]
    grey = helper.make_tensor_value_info("grey", TensorProto.FLOAT, [1, 1, 8, 8])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 64])
    graph = helper.make_graph(nodes, "grey", [grey], [features])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path
