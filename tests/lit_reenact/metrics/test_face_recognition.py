"""The shipped recognition network: its arithmetic layer by layer, and people told apart on real clips."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_reenact.core.weights import load_weights
from lit_reenact.landmarks.detection import detect
from lit_reenact.metrics.alignment import similarity_transform
from lit_reenact.metrics.face_recognition import (
    DIFFERENT_PEOPLE,
    PADDING,
    POINTS,
    SIZE,
    TEMPLATE,
    FaceRecognition,
    align_for_recognition,
    face_distance,
)
from lit_reenact.video import FrameReader


@pytest.fixture(scope="module")
def network() -> FaceRecognition:
    return FaceRecognition()


def convolve(image: NDArray[np.float64], name: str, stride: int, padding: int) -> NDArray[np.float64]:
    """Convolve an image (H, W, C) as the file describes it: filters (height, width, in, out), then a scale and an offset."""
    weights = {key: value.double().numpy() for key, value in load_weights("face_recognition").items() if key.startswith(name)}
    filters = weights[f"{name}.conv.filters"]
    image = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    size = len(filters)
    rows, columns = ((side - size) // stride + 1 for side in image.shape[:2])
    result = np.empty((rows, columns, filters.shape[-1]))
    for row in range(rows):
        for column in range(columns):
            patch = image[row * stride : row * stride + size, column * stride : column * stride + size]
            result[row, column] = np.tensordot(patch, filters, 3)
    scaled: NDArray[np.float64] = weights[f"{name}.scale.weights"] * (result + weights[f"{name}.conv.bias"])
    return scaled + weights[f"{name}.scale.biases"]


def test_stem_and_blocks_equal_loops_over_patches(network: FaceRecognition) -> None:
    features = torch.rand(1, 64, 9, 9, generator=torch.Generator().manual_seed(0))
    ours = network.blocks[7](features)[0].permute(1, 2, 0).double().numpy()  # 128_down
    image = features[0].permute(1, 2, 0).double().numpy()
    main = convolve(np.maximum(convolve(image, "conv128_down.conv1", 2, 0), 0), "conv128_down.conv2", 1, 1)
    pooled = image[:8, :8].reshape(4, 2, 4, 2, 64).mean((1, 3))
    assert np.allclose(ours, np.maximum(main + np.concatenate([pooled, np.zeros_like(pooled)], -1), 0), atol=1e-4)

    picture = torch.rand(1, 3, 23, 23, generator=torch.Generator().manual_seed(1))
    stem = network.stem(picture)[0].permute(1, 2, 0).double().numpy()
    assert np.allclose(stem, convolve(picture[0].permute(1, 2, 0).double().numpy(), "conv32_down", 2, 0), atol=1e-4)


def test_a_smaller_main_path_is_padded_right_and_below(network: FaceRecognition) -> None:
    features = torch.rand(1, 128, 8, 8, generator=torch.Generator().manual_seed(2))
    ours = network.blocks[10](features)[0]  # 256_down: its main path has 3 rows, its shortcut 4
    pooled = features[0].view(128, 4, 2, 4, 2).mean((2, 4))
    assert torch.allclose(ours[:128, 3], pooled[:, 3], atol=1e-6)
    assert torch.allclose(ours[:128, :, 3], pooled[:, :, 3], atol=1e-6)


def test_a_face_is_measured_alone_as_in_a_batch(network: FaceRecognition) -> None:
    faces = torch.rand(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))
    together, alone = network(faces), torch.cat([network(face[None]) for face in faces])
    assert together.shape == (3, 128)
    assert torch.allclose(together, alone, atol=1e-4)
    assert face_distance(together, together).tolist() == [0, 0, 0]


def test_landmarks_in_the_template_are_cut_out_as_they_are() -> None:
    landmarks = torch.zeros(1, 478, 3)
    places = (torch.tensor(TEMPLATE) + PADDING) / (1 + 2 * PADDING) * SIZE
    landmarks[0, list(POINTS), :2] = places
    images = torch.rand(1, 3, SIZE, SIZE)
    assert torch.allclose(align_for_recognition(images, landmarks), images, atol=1e-3)
    moved = similarity_transform(landmarks[:, list(POINTS), :2] * 2, places)
    assert torch.allclose(moved[0, :, :2], torch.eye(2) / 2, atol=1e-5)


def embeddings(network: FaceRecognition, video: Path) -> Tensor:
    """Return embeddings of eight frames spread over a video."""
    reader = FrameReader(video)
    frames = reader.read([int(number) for number in np.linspace(0, len(reader) - 1, 8)])
    landmarks = detect(iter(frames.numpy()), len(frames), None)
    with torch.inference_mode():
        return network(align_for_recognition(frames.permute(0, 3, 1, 2).float() / 255, landmarks.points))


@pytest.mark.slow
def test_four_people_are_told_apart(shared_dir: Path, network: FaceRecognition) -> None:
    """d6, d9, d10 and d14 show four people; d6 grimaces, which moves her own face by up to .60."""
    people = {name: embeddings(network, shared_dir / "videos" / f"{name}.mp4") for name in ("d6", "d9", "d10", "d14")}
    for one in people.values():
        assert float(torch.cdist(one, one).flatten().quantile(0.5)) < 0.45
    for (_, one), (_, other) in combinations(people.items(), 2):
        assert float(torch.cdist(one, other).min()) > DIFFERENT_PEOPLE[0]
