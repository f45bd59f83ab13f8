"""Which samples of a face show its skin: hair, glasses, collars and the background have another colour."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from lit_reenact.core.facemesh import NOSTRILS, RIGHT_BROW_BOTTOM, RIGHT_BROW_TOP, mirror_points
from lit_reenact.face import FaceModel
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, MOUTH, around
from lit_reenact.tracking.photometric import SkinPoints

SKIN_LIMIT = 4.5
"""Distance from a person's usual skin, in its own deviations, from which on something is no skin."""

GLASSES_LIMIT = 4.0
"""The same, between a point about the eyes and the skin beside it."""

LEAST_DEVIATION = 0.05
"""Of the logarithm of a reflectance: no skin is believed to be more even than this."""

CORE = 3.0
"""Distance within which samples say how far skin usually strays."""

RIGHT_BROW = tuple(zip(RIGHT_BROW_TOP[1:], RIGHT_BROW_BOTTOM[1:], strict=True))
"""FaceMesh landmarks above and below the right brow, without its outer end, where hair may hang; left: their mirror images."""

BROW_REACH, LID_REACH, LIP_REACH, NOSTRIL_REACH = 8.0, 8.0, 25.0, 14.0
"""Millimetres about brows, lids, lips and nostrils that belong to the face whatever their colour, as does a beard there."""

GLASSES_REACH = 30.0
"""Millimetres about the lids in which glasses are looked for."""


@dataclass(frozen=True)
class Normal:
    """A normal distribution of values with C channels: mean (C,) and precision (C, C), the inverse of its covariance."""

    mean: Tensor
    precision: Tensor

    def distance(self, values: Tensor) -> Tensor:
        """How unusual values (..., C) are, in deviations (Mahalanobis): (...)."""
        off = values - self.mean
        return ((off @ self.precision) * off).sum(-1).sqrt()


def usual(values: Tensor, least_deviation: float, rounds: int = 5) -> Normal:
    """What most of M values (M, C) are like, whatever the others are.

    From the medians of the values and of their deviations on, mean and covariance of those near to it are taken repeatedly.
    """
    mean = values.median(0).values
    covariance = torch.diag((1.4826 * (values - mean).abs().median(0).values).square())
    least = least_deviation**2 * torch.eye(values.shape[1], dtype=values.dtype, device=values.device)
    found = Normal(mean, torch.linalg.inv(covariance + least))
    for _ in range(rounds):
        core = values[found.distance(values) < CORE]
        if len(core) < 2:
            break
        found = Normal(core.mean(0), torch.linalg.inv(core.T.cov() + least))
    return found


def logarithm(reflectance: Tensor) -> Tensor:
    """Of a reflectance of any shape, which may be 0: in logarithms, one deviation suits all colours of skin."""
    return reflectance.clamp_min(1 / 255).log()


def learn_skin_colour(reflectance: Tensor) -> Normal:
    """The usual skin, in logarithms, among M samples of reflectance (M, 3), of which most must show skin."""
    return usual(logarithm(reflectance), LEAST_DEVIATION)


def may_be_skin(reflectance: Tensor, colour: Normal) -> Tensor:
    """Whether a reflectance (..., 3) is near enough to a person's usual skin: bool (...)."""
    return colour.distance(logarithm(reflectance)) < SKIN_LIMIT


def features(model: FaceModel, points: SkinPoints) -> Tensor:
    """The points about brows, lids, lips and nostrils, which are no bare skin but belong to the face: bool (N,)."""
    landmarks = model.landmarks(model.vertices)
    right = torch.tensor(RIGHT_BROW)
    brows = [landmarks[pairs].mean(1) for pairs in (right, torch.tensor([mirror_points(pair) for pair in RIGHT_BROW]))]
    parts = (
        (torch.cat(brows), BROW_REACH),
        (landmarks[around(EYE_LEFT, EYE_RIGHT)], LID_REACH),
        (landmarks[around(MOUTH)], LIP_REACH),
        (landmarks[list(NOSTRILS)], NOSTRIL_REACH),
    )
    return torch.stack([_within(model, points, centres, reach) for centres, reach in parts]).any(0)


def about_eyes(model: FaceModel, points: SkinPoints) -> Tensor:
    """The points where glasses may be: bool (N,)."""
    return _within(model, points, model.landmarks(model.vertices)[around(EYE_LEFT, EYE_RIGHT)], GLASSES_REACH)


def glasses(albedo: Tensor, bare: Tensor, sought: Tensor) -> Tensor:
    """Rims and bridge of glasses: texels that differ from the skin beside them as this person's skin seldom does.

    Args:
        albedo: (3, S, S) texture.
        bare: bool (S, S), its texels that show bare skin, or else glasses.
        sought: bool (S, S), where glasses may be.

    Returns:
        bool (S, S), with a margin.
    """
    size = len(bare)
    values, share = logarithm(albedo) * bare, bare[None].float()
    off = ((values - _blur(values) / _blur(share).clamp_min(1e-3)) * bare).permute(1, 2, 0)  # (S, S, 3)
    odd = bare & (usual(off[bare], least_deviation=0.0).distance(off) > GLASSES_LIMIT)
    margin = round(size / 128)
    return bare & (max_pool2d((odd & sought)[None].float(), 2 * margin + 1, 1, margin)[0] > 0)


def _blur(image: Tensor) -> Tensor:
    """Twice the mean over a twelfth of the width: (C, S, S)."""
    reach = round(image.shape[-1] / 24)
    for _ in range(2):
        image = avg_pool2d(image, 2 * reach + 1, 1, reach)
    return image


def _within(model: FaceModel, points: SkinPoints, centres: Tensor, reach: float) -> Tensor:
    """Points that lie within ``reach`` mm of any of the centres (M, 3) on the mean face: bool (N,)."""
    return torch.cdist(points(model.vertices[None])[0], centres).amin(1) < reach
