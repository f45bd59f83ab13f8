"""Face landmarks by a network that neither the tracker nor any training sees: a second opinion on motion."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.core.weights import load_weights
from lit_reenact.metrics.alignment import square_transform, warp_faces

SIZE, COUNT = 112, 68
"""Side of the pictures that the network takes, and number of its points."""

CHANNEL_MEANS = (122.782, 117.001, 104.298)
"""Mean colour that the network subtracts, levels of 255."""

ENLARGEMENT = 1.1
"""Side of the crop over the longer side of the face's box."""

RIGHT_OUTER_EYE, LEFT_OUTER_EYE = 36, 45
"""Outer corners of the eyes among the 68 points."""

MIRRORED = (
    *reversed(range(17)),  # edge of the face
    *reversed(range(17, 27)),  # brows
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),  # nose
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer edge of the lips
    *(64, 63, 62, 61, 60, 67, 66, 65),  # inner edge of the lips
)
"""Number of the point that takes the place of each point when a face is mirrored, in the order of iBUG."""


class Landmarks68(nn.Module):
    """The 68-point network of face-api.js (Mühler 2018), with depthwise separable convolutions. Frozen.

    Raises:
        ReenactError: the shipped weights are missing or damaged.

    Example:
        >>> network = Landmarks68()
        >>> points = detect_68(network, images, face_boxes(landmarks))  # (T, 68, 2) in pixels
    """

    def __init__(self) -> None:
        super().__init__()
        weights = load_weights("face_landmarks_68")
        self.blocks = nn.ModuleList(_DenseBlock(weights, f"dense{number}") for number in range(4))
        self.head = nn.Linear(*weights["fc.weights"].shape)
        self.head.weight.data, self.head.bias.data = weights["fc.weights"].T.contiguous(), weights["fc.bias"].clone()
        self.register_buffer("mean", torch.tensor(CHANNEL_MEANS).view(3, 1, 1), persistent=False)
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, faces: Tensor) -> Tensor:
        """Return points (B, 68, 2), x and y as shares of the picture's side, of pictures (B, 3, 112, 112) in [0, 1]."""
        features = (faces * 255 - self.get_buffer("mean")) / 255
        for block in self.blocks:
            features = block(features)
        points: Tensor = self.head(F.avg_pool2d(features, 7).flatten(1))
        return points.view(-1, COUNT, 2)


class _DenseBlock(nn.Module):
    """Four convolutions, each of which sees the sum of all before it; the first halves the image."""

    def __init__(self, weights: dict[str, Tensor], name: str) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_convolution(weights, f"{name}.conv{number}") for number in range(4))

    def forward(self, features: Tensor) -> Tensor:
        first, *others = self.layers
        padded = F.pad(features, (0, 1, 0, 1))  # "same" as TensorFlow pads for a stride of 2
        total = current = F.relu(first(padded))
        for layer in others:
            total = total + layer(current)
            current = F.relu(total)
        return current


def _convolution(weights: dict[str, Tensor], name: str) -> nn.Sequential:
    """Return a convolution, or a depthwise and a pointwise one, whichever the weights are for."""
    is_first = name.endswith("conv0")
    stride, padding = (2, 0) if is_first else (1, 1)
    bias = nn.Parameter(weights[f"{name}.bias"].clone())
    if f"{name}.filters" in weights:
        layer = _layer(weights[f"{name}.filters"].permute(3, 2, 0, 1), stride, padding)
        layer.bias = bias
        return nn.Sequential(layer)
    depthwise = weights[f"{name}.depthwise_filter"].permute(2, 3, 0, 1)
    pointwise = _layer(weights[f"{name}.pointwise_filter"].permute(3, 2, 0, 1), 1, 0)
    pointwise.bias = bias
    return nn.Sequential(_layer(depthwise, stride, padding, groups=len(depthwise)), pointwise)


def _layer(kernel: Tensor, stride: int, padding: int, groups: int = 1) -> nn.Conv2d:
    size = kernel.shape[2]
    layer = nn.Conv2d(kernel.shape[1] * groups, kernel.shape[0], size, stride, padding, groups=groups, bias=False)
    layer.weight.data = kernel.contiguous()
    return layer


def face_boxes(landmarks: Tensor) -> Tensor:
    """Return square boxes (T, 3), centre and side in pixels, around FaceMesh landmarks (T, 478, 3), larger by ``ENLARGEMENT``."""
    points = landmarks[:, :FACE_POINTS, :2]
    low, high = points.amin(1), points.amax(1)
    return torch.cat([(low + high) / 2, (high - low).amax(1, keepdim=True) * ENLARGEMENT], 1)


def detect_68(network: Landmarks68, images: Tensor, boxes: Tensor) -> Tensor:
    """Return the 68 landmarks (T, 68, 2) in pixels of the images, pixel centres at half-integers.

    Args:
        network: the detector.
        images: (T, 3, H, W) in [0, 1].
        boxes: square face boxes (T, 3), x and y of the centre and the side in pixels.
    """
    points: Tensor = network(warp_faces(images, square_transform(boxes, SIZE), SIZE, padding="border"))
    return boxes[:, None, :2] + (points - 0.5) * boxes[:, None, 2:]


def landmark_distance_68(driving: Tensor, output: Tensor) -> Tensor:
    """Return the mean distance (T,) of 68 landmarks (T, 68, 2), in % of the driving face's outer-eye distance.

    It is the normalised mean error of face alignment (Sagonas et al. 2013, "300 Faces in-the-Wild"), with the real frame's points
    in place of the ground truth.

    Raises:
        ValueError: the landmarks have another shape.
    """
    if driving.shape != output.shape or driving.shape[1:] != (COUNT, 2):
        raise ValueError(f"landmarks are (T, {COUNT}, 2), not {tuple(driving.shape)} and {tuple(output.shape)}")
    distance: Tensor = (driving - output).norm(dim=-1).mean(-1)
    eyes: Tensor = (driving[:, RIGHT_OUTER_EYE] - driving[:, LEFT_OUTER_EYE]).norm(dim=-1)
    return 100 * distance / eyes


def mirror_68(points: Tensor, width: int) -> Tensor:
    """Return the landmarks (T, 68, 2) of images mirrored from left to right, from those of the images ``width`` pixels wide."""
    mirrored = points[:, list(MIRRORED)].clone()
    mirrored[..., 0] = width - mirrored[..., 0]
    return mirrored
