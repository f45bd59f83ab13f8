"""How far a generated clip is from the real one, and how well its motion follows the motion that drove it.

Images are (B, 3, H, W) in [0, 1]. The perceptual distance is ``losses.Lpips``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

INNER_LIP_TOP, INNER_LIP_BOTTOM = 13, 14
"""FaceMesh landmarks at the middle of the inner edge of the upper and the lower lip."""

EYE_CORNER_RIGHT, EYE_CORNER_LEFT = 33, 263
"""FaceMesh landmarks of the outer eye corners."""


def psnr(prediction: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio (B,) of each image in dB; larger is better, infinite for equal images."""
    return torch.stack([peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(prediction, target, strict=True)])


def ssim(prediction: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (B,) of each image (Wang et al. 2004: 11x11 Gaussian of deviation 1.5); in [-1, 1], 1 when equal."""
    similarity = structural_similarity_index_measure(prediction, target, reduction="none", data_range=1.0)
    assert isinstance(similarity, Tensor)
    return similarity.reshape(len(prediction))


def face_l1(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference inside ``mask`` (bool, (B, H, W)) of each image (B,), in 8-bit units: 0 when equal, at most 255,
    NaN for an image whose mask is empty.
    """
    difference = (prediction - target).abs().mean(1) * 255.0  # (B, H, W)
    return (difference * mask).sum((1, 2)) / mask.sum((1, 2))


class FaceL1(Metric):
    """``face_l1``, averaged over all images that show a face, of all batches and processes; NaN while there was none."""

    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor, mask: Tensor) -> None:
        """Images (B, 3, H, W) in [0, 1] and where the face is, bool (B, H, W)."""
        with_face = mask.any(-1).any(-1)
        self.total += face_l1(prediction, target, mask)[with_face].sum()
        self.count += with_face.sum()

    def compute(self) -> Tensor:
        """The average so far, in 8-bit units."""
        return self.total / self.count


def pearson_r(driving: Tensor, output: Tensor) -> Tensor:
    """Pearson's correlation of two series (T,); in [-1, 1], 1 when one follows the other up to scale and offset, NaN for a
    constant series.
    """
    a = driving.double() - driving.double().mean()
    b = output.double() - output.double().mean()
    r: Tensor = (a @ b) / (a.norm() * b.norm())
    return r


def slope(driving: Tensor, output: Tensor) -> Tensor:
    """Slope of the least-squares line of the output's over the driving series (T,); 1 when the motion has its full size."""
    a = driving.double() - driving.double().mean()
    steepness: Tensor = (a @ output.double()) / (a @ a)
    return steepness


def mouth_opening(landmarks: Tensor) -> Tensor:
    """Inner-lip gap over the distance of the outer eye corners: landmarks (T, 478, 3) in one unit to (T,), 0 when closed.

    The gap is the one that is seen: pressed lips lie at unlike depths, and MediaPipe's depth is a guess. The distance of the
    eyes is measured in three dimensions, so that turning the head changes it little.
    """
    gap: Tensor = (landmarks[:, INNER_LIP_TOP, :2] - landmarks[:, INNER_LIP_BOTTOM, :2]).norm(dim=-1)
    width: Tensor = (landmarks[:, EYE_CORNER_RIGHT] - landmarks[:, EYE_CORNER_LEFT]).norm(dim=-1)
    return gap / width
