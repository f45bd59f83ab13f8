"""The 68-point network: its arithmetic, its mirror, and its points on a photograph against FaceMesh's."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from skimage.data import astronaut
from torch import Tensor

from lit_reenact.core.facemesh import CHIN, LEFT_INNER_EYE, RIGHT_INNER_EYE
from lit_reenact.core.facemesh import LEFT_OUTER_EYE as LEFT
from lit_reenact.core.facemesh import RIGHT_OUTER_EYE as RIGHT
from lit_reenact.core.weights import load_weights
from lit_reenact.landmarks.detection import detect
from lit_reenact.metrics.landmarks_68 import (
    MIRRORED,
    Landmarks68,
    detect_68,
    face_boxes,
    landmark_distance_68,
    mirror_68,
)

PACKAGE = Path(__file__).parents[3] / "lit_reenact"


@pytest.fixture(scope="module")
def network() -> Landmarks68:
    return Landmarks68()


@pytest.fixture(scope="module")
def photograph() -> tuple[Tensor, Tensor]:
    """A portrait (1, 3, 300, 300) and its FaceMesh landmarks (1, 478, 3)."""
    frame = torch.from_numpy(np.ascontiguousarray(astronaut()[:300, 80:380]))
    return frame.permute(2, 0, 1)[None].float() / 255, detect(iter([frame.numpy()]), 1, None).points


def test_a_block_equals_correlations_padded_as_tensorflow_pads(network: Landmarks68) -> None:
    weights = {key: value.double().numpy() for key, value in load_weights("face_landmarks_68").items()}
    features = torch.rand(1, 32, 8, 8, generator=torch.Generator().manual_seed(0))
    ours = network.blocks[1].layers[0](torch.nn.functional.pad(features, (0, 1, 0, 1)))[0].double().numpy()
    image, name = features[0].double().numpy(), "dense1.conv0"
    depth = weights[f"{name}.depthwise_filter"][..., 0]
    padded = np.pad(image, ((0, 0), (0, 1), (0, 1)))
    each = np.stack([correlate2d(plane, depth[..., k], "valid")[::2, ::2] for k, plane in enumerate(padded)])
    expected = np.einsum("chw,co->ohw", each, weights[f"{name}.pointwise_filter"][0, 0]) + weights[f"{name}.bias"][:, None, None]
    assert np.allclose(ours, expected, atol=1e-4)


def test_later_layers_see_the_sum_of_those_before(network: Landmarks68) -> None:
    block, features = network.blocks[2], torch.rand(2, 64, 16, 16, generator=torch.Generator().manual_seed(1))
    one = block.layers[0](torch.nn.functional.pad(features, (0, 1, 0, 1))).relu()
    two = block.layers[1](one)
    three = block.layers[2]((one + two).relu())
    four = block.layers[3]((one + two + three).relu())
    assert torch.allclose(block(features), (one + two + three + four).relu(), atol=1e-5)


def test_points_lie_where_facemesh_sees_them(network: Landmarks68, photograph: tuple[Tensor, Tensor]) -> None:
    image, landmarks = photograph
    points = detect_68(network, image, face_boxes(landmarks))[0]
    pairs = {36: RIGHT, 45: LEFT, 39: RIGHT_INNER_EYE, 42: LEFT_INNER_EYE, 8: CHIN}
    eyes = (landmarks[0, LEFT, :2] - landmarks[0, RIGHT, :2]).norm()
    distances = (points[list(pairs)] - landmarks[0, list(pairs.values()), :2]).norm(dim=-1) / eyes
    assert distances.mean() < 0.08


def test_points_move_with_the_face(network: Landmarks68, photograph: tuple[Tensor, Tensor]) -> None:
    image, landmarks = photograph
    boxes = face_boxes(landmarks)
    moved = detect_68(network, image.roll((5, -9), (2, 3)), boxes + torch.tensor([-9.0, 5.0, 0.0]))
    assert torch.allclose(moved, detect_68(network, image, boxes) + torch.tensor([-9.0, 5.0]), atol=0.05)


def test_another_face_is_farther_than_the_noise_of_a_mirror(network: Landmarks68, photograph: tuple[Tensor, Tensor]) -> None:
    image, landmarks = photograph
    boxes, width = face_boxes(landmarks), image.shape[3]
    points = detect_68(network, image, boxes)
    flipped = boxes * torch.tensor([-1.0, 1.0, 1.0]) + torch.tensor([width, 0.0, 0.0])
    floor = landmark_distance_68(points, mirror_68(detect_68(network, image.flip(3), flipped), width))
    shifted = detect_68(network, image.roll(12, 2), boxes)
    assert 0 < floor < 8
    assert landmark_distance_68(points, shifted) > floor + 3


def test_the_mirror_is_its_own_inverse_and_keeps_the_middle() -> None:
    assert [MIRRORED[MIRRORED[k]] for k in range(68)] == list(range(68))
    assert [k for k in range(68) if MIRRORED[k] == k] == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]
    points = torch.rand(2, 68, 2)
    assert torch.allclose(mirror_68(mirror_68(points, 100), 100), points, atol=1e-5)


def test_distance_is_in_percent_of_the_outer_eye_distance() -> None:
    points = torch.zeros(1, 68, 2)
    points[0, 45, 0] = 50
    assert landmark_distance_68(points, points + torch.tensor([3.0, 4.0])).item() == pytest.approx(10)


def test_other_shapes_are_refused() -> None:
    for driving, output in (((3, 67, 2), (3, 67, 2)), ((3, 68, 2), (1, 68, 2))):
        with pytest.raises(ValueError, match="landmarks are"):
            landmark_distance_68(torch.zeros(driving), torch.zeros(output))


@pytest.mark.parametrize("room", ["tracking", "landmarks", "training", "datamodules", "losses", "networks", "rendering"])
def test_no_tracker_and_no_training_uses_it(room: str) -> None:
    for file in (PACKAGE / room).rglob("*.py"):
        names = [
            name
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        ]
        assert not any("landmarks_68" in name for name in names), file
        assert "face_landmarks_68" not in file.read_text(), file
