"""Identity of a face by dlib's recognition network, which comes with the package."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_reenact.core.facemesh import LEFT_INNER_EYE, LEFT_OUTER_EYE, RIGHT_INNER_EYE, RIGHT_OUTER_EYE, UNDER_NOSE
from lit_reenact.core.weights import load_weights
from lit_reenact.metrics.alignment import similarity_transform, warp_faces

SIZE = 150
"""Side of the pictures that the network takes, pixels."""

CHANNEL_MEANS = (122.782, 117.001, 104.298)
"""Mean colour that the network subtracts, levels of 255."""

POINTS = (LEFT_OUTER_EYE, LEFT_INNER_EYE, RIGHT_OUTER_EYE, RIGHT_INNER_EYE, UNDER_NOSE)
"""FaceMesh points that are aligned, in the order of ``TEMPLATE``."""

TEMPLATE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
"""Places of the five points in dlib's mean face, as shares of its box."""

PADDING = 0.25
"""Margin around the mean face's box on every side, as a share of the box."""

SAME_PERSON = (0.11, 0.27, 0.42)
DIFFERENT_PEOPLE = (0.52, 0.83, 0.97)
"""``face_distance`` between real frames: 5, 50 and 95 % of those of one person; 1, 50 and 95 % of those of different people.

Measured on 25 clips of about 20 people.
"""

_BLOCKS = (
    *(("32_1", False), ("32_2", False), ("32_3", False), ("64_down", True), ("64_1", False), ("64_2", False), ("64_3", False)),
    *(("128_down", True), ("128_1", False), ("128_2", False), ("256_down", True), ("256_1", False), ("256_2", False)),
    ("256_down_out", True),
)
"""Residual blocks, and whether each halves its image."""


class FaceRecognition(nn.Module):
    """dlib's face recognition ResNet (King 2017): 128 numbers a face, near each other for one person. Frozen.

    Not ArcFace: its values are called ``csim_dlib`` and ``face_distance`` and compare with no published CSIM.

    Raises:
        ReenactError: the shipped weights are missing or damaged.

    Example:
        >>> network = FaceRecognition()
        >>> embeddings = network(align_for_recognition(images, landmarks))  # (T, 128)
    """

    def __init__(self) -> None:
        super().__init__()
        weights = load_weights("face_recognition")
        self.stem = _convolution(weights, "conv32_down", stride=2, padding=0)
        self.blocks = nn.ModuleList(_Block(weights, f"conv{name}", halves) for name, halves in _BLOCKS)
        self.register_buffer("head", weights["fc"].clone(), persistent=False)
        self.register_buffer("mean", torch.tensor(CHANNEL_MEANS).view(3, 1, 1), persistent=False)
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, faces: Tensor) -> Tensor:
        """Return embeddings (B, 128), of length about 1.41, of aligned faces (B, 3, 150, 150) in [0, 1]."""
        features = (faces * 255 - self.get_buffer("mean")) / 256
        features = F.max_pool2d(F.relu(self.stem(features)), 3, 2)
        for block in self.blocks:
            features = block(features)
        embeddings: Tensor = features.mean((2, 3)) @ self.get_buffer("head")
        return embeddings


class _Block(nn.Module):
    """Two convolutions beside a shortcut; one that halves the image pads what does not fit with zeros."""

    def __init__(self, weights: dict[str, Tensor], name: str, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        self.first = _convolution(weights, f"{name}.conv1", *((2, 0) if halves else (1, 1)))
        self.second = _convolution(weights, f"{name}.conv2", 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        main = self.second(F.relu(self.first(features)))
        if self.halves:
            features = F.avg_pool2d(features, 2)
            missing = features.shape[-1] - main.shape[-1]
            main = F.pad(main, (0, missing, 0, missing))
            features = F.pad(features, (0, 0, 0, 0, 0, main.shape[1] - features.shape[1]))
        return F.relu(main + features)


def _convolution(weights: dict[str, Tensor], name: str, stride: int, padding: int) -> nn.Conv2d:
    """Return a convolution that holds its channels' scales and offsets, too."""
    kernel = weights[f"{name}.conv.filters"].permute(3, 2, 0, 1)
    scale, offset = weights[f"{name}.scale.weights"], weights[f"{name}.scale.biases"]
    layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2], stride, padding)
    layer.weight.data = kernel * scale.view(-1, 1, 1, 1)
    layer.bias = nn.Parameter(weights[f"{name}.conv.bias"] * scale + offset)
    return layer


def align_for_recognition(images: Tensor, landmarks: Tensor) -> Tensor:
    """Cut out and align faces as dlib does, by the corners of the eyes and the base of the nose.

    Args:
        images: (T, 3, H, W) in [0, 1].
        landmarks: (T, 478, 3) in pixels of the images, with pixel centres at half-integers.

    Returns:
        (T, 3, 150, 150) in [0, 1]; black outside the image.
    """
    places = (landmarks.new_tensor(TEMPLATE) + PADDING) / (1 + 2 * PADDING) * SIZE
    transform = similarity_transform(landmarks[:, list(POINTS), :2] - 0.5, places - 0.5)
    return warp_faces(images, transform, SIZE)


def face_distance(embeddings: Tensor, real: Tensor) -> Tensor:
    """Return the Euclidean distance (T,) of embeddings (T, 128) of generated and real faces; 0 for equal ones, at most about 2.8.

    dlib's own threshold for one person is 0.6 (King 2017).
    """
    distance: Tensor = (embeddings - real).norm(dim=-1)
    return distance
