"""Recognition of skin by its colour: hair, glasses, collars and the background have another one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from lit_reenact.core.facemesh import NOSTRILS, RIGHT_BROW_BOTTOM, RIGHT_BROW_TOP, mirror_points
from lit_reenact.face import FaceModel
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, MOUTH, around
from lit_reenact.tracking.skin_samples import SkinPoints

SKIN_LIMIT = 4.5
"""Distance from a person's usual skin, in its own deviations, from which a colour is not skin."""

GLASSES_LIMIT = 4.0
"""Distance between a point near the eyes and the skin beside it, in deviations, from which the point is part of glasses."""

MIN_DEVIATION = 0.05
"""Lower limit of the deviation of a skin's logarithmic reflectance."""

CORE = 3.0
"""Distance, in deviations, of the samples that the distribution is estimated from."""

RIGHT_BROW = tuple(zip(RIGHT_BROW_TOP[1:], RIGHT_BROW_BOTTOM[1:], strict=True))
"""Pairs of landmarks above and below the right brow, without its outer end, where hair may hang."""

BROW_REACH, LID_REACH, LIP_REACH, NOSTRIL_REACH = 8.0, 8.0, 25.0, 14.0
"""Distances (mm) from brows, lids, lips and nostrils within which a point belongs to the face whatever its colour."""

GLASSES_REACH = 30.0
"""Distance (mm) from the lids within which glasses are searched."""


@dataclass(frozen=True)
class Normal:
    """A normal distribution of values with C channels.

    Attributes:
        mean: (C,).
        precision: (C, C) inverse of the covariance.
    """

    mean: Tensor
    precision: Tensor

    def distance(self, values: Tensor) -> Tensor:
        """Return the Mahalanobis distance of values (..., C) from the mean: (...)."""
        off = values - self.mean
        return ((off @ self.precision) * off).sum(-1).sqrt()


def fit_core(values: Tensor, min_deviation: float, rounds: int = 5) -> Normal:
    """Fit a normal distribution to the majority of M values (M, C), whatever the others are.

    It starts from the medians of the values and of their deviations; then mean and covariance of the values near the mean are
    taken repeatedly.

    Args:
        values: (M, C).
        min_deviation: lower limit of the deviation in each channel.
        rounds: number of repetitions.
    """
    mean = values.median(0).values
    covariance = torch.diag((1.4826 * (values - mean).abs().median(0).values).square())
    least = min_deviation**2 * torch.eye(values.shape[1], dtype=values.dtype, device=values.device)
    fitted = Normal(mean, torch.linalg.inv(covariance + least))
    for _ in range(rounds):
        core = values[fitted.distance(values) < CORE]
        if len(core) < 2:
            break
        fitted = Normal(core.mean(0), torch.linalg.inv(core.T.cov() + least))
    return fitted


def to_logarithm(reflectance: Tensor) -> Tensor:
    """Take the logarithm of a reflectance, in which one deviation suits all colours of skin; 0 counts as 1/255."""
    return reflectance.clamp_min(1 / 255).log()


def learn_skin_colour(reflectance: Tensor) -> Normal:
    """Learn the distribution of skin, in logarithms, from samples of reflectance (M, 3), most of which must show skin."""
    return fit_core(to_logarithm(reflectance), MIN_DEVIATION)


def may_be_skin(reflectance: Tensor, colour: Normal) -> Tensor:
    """Tell whether a reflectance (..., 3) is near enough to a person's usual skin: bool (...)."""
    return colour.distance(to_logarithm(reflectance)) < SKIN_LIMIT


def find_features(model: FaceModel, points: SkinPoints) -> Tensor:
    """Find the points near brows, lids, lips and nostrils, which are not bare skin but belong to the face: bool (N,)."""
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


def find_eye_region(model: FaceModel, points: SkinPoints) -> Tensor:
    """Find the points where glasses may be: bool (N,)."""
    return _within(model, points, model.landmarks(model.vertices)[around(EYE_LEFT, EYE_RIGHT)], GLASSES_REACH)


def find_glasses(albedo: Tensor, bare: Tensor, sought: Tensor) -> Tensor:
    """Find rims and bridge of glasses: texels that differ from the skin beside them as this person's skin seldom does.

    Args:
        albedo: (3, S, S) texture.
        bare: bool (S, S), texels that show bare skin or glasses.
        sought: bool (S, S), texels where glasses may be.

    Returns:
        bool (S, S), texels of glasses, with a margin.
    """
    size = len(bare)
    values, share = to_logarithm(albedo) * bare, bare[None].float()
    off = ((values - _blur(values) / _blur(share).clamp_min(1e-3)) * bare).permute(1, 2, 0)  # (S, S, 3)
    odd = bare & (fit_core(off[bare], min_deviation=0.0).distance(off) > GLASSES_LIMIT)
    margin = round(size / 128)
    return bare & (max_pool2d((odd & sought)[None].float(), 2 * margin + 1, 1, margin)[0] > 0)


def _blur(image: Tensor) -> Tensor:
    """Average twice over a twelfth of the width: (C, S, S)."""
    reach = round(image.shape[-1] / 24)
    for _ in range(2):
        image = avg_pool2d(image, 2 * reach + 1, 1, reach)
    return image


def _within(model: FaceModel, points: SkinPoints, centres: Tensor, reach: float) -> Tensor:
    """Find points within ``reach`` mm of any of the centres (M, 3) on the mean face: bool (N,)."""
    return torch.cdist(points(model.vertices[None])[0], centres).amin(1) < reach
