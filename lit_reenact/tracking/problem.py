"""The fit of a face model's expressions to landmarks: everything that all frames share, and its weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.core.facemesh import BONY, FACE_POINTS, JAW_TIP, NOSE_BRIDGE, RIGHT_BROW_BOTTOM, RIGHT_BROW_TOP, mirror_points
from lit_reenact.core.schema import Camera
from lit_reenact.face import FaceModel
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, MOUTH, OPENINGS, RIMS, around
from lit_reenact.tracking import energy
from lit_reenact.tracking.settings import TrackerSettings

BROWS = (*RIGHT_BROW_BOTTOM, *RIGHT_BROW_TOP)
"""FaceMesh landmarks of the right brow; those of the left are their mirror images."""

TIES = (("mouthClose", "jawOpen"),)
"""Pairs of coefficients of which the first cannot exceed the second."""

JAW_WEIGHT, CHIN_PRIOR_WEIGHT = 1 / 6, 1.0
"""Factors on the prior of coefficients: for ``Problem.jaw_weight``, and for the square of ``lift_by_skin``.

Without them pressed lips, or a smile, which lift the chin in many a model, would explain a part of the jaw's travel.
"""


@dataclass(frozen=True)
class Problem:
    """Everything about the fit to landmarks that all frames share.

    Residuals are measured in % of the outer-eye distance. Weights are relative to that of an average landmark, which is 1.

    Attributes:
        neutral: (L, 3) landmarks of the neutral head, mm.
        basis: (K, L, 3) displacement of the landmarks by each expression at coefficient 1, mm.
        bounds: (K, 2) lowest and highest coefficient.
        landmark_weight: (L,) weight of each landmark, 1 on average.
        prior: (K, K) weights of the squares and products of coefficients, against squared residuals.
        ties: pairs (a, b) of coefficients with a <= b, such as mouthClose <= jawOpen.
        gaps: int64 (2, P) pairs of landmarks that face each other across the mouth or an eye.
        gap_weight: weight of the vector between the landmarks of a pair. An opening matters more than its place, and is
            measured more reliably.
        jaw: bool (K,), shapes that move the jawbone.
        jaw_weight: weight of the vector from the nose to the chin, which the shapes in ``jaw`` alone are to explain.
        camera: camera of the working clip.
    """

    neutral: Tensor
    basis: Tensor
    bounds: Tensor
    landmark_weight: Tensor
    prior: Tensor
    ties: tuple[tuple[int, int], ...]
    gaps: Tensor
    gap_weight: float
    jaw: Tensor
    jaw_weight: float
    camera: Camera


def landmark_problem(template: Tensor, model: FaceModel, camera: Camera, settings: TrackerSettings) -> Problem:
    """Set up the fit of a model's expressions on a neutral head (468, 3) to landmarks."""
    names = model.expression_names
    index = {name: k for k, name in enumerate(names)}
    basis = model.at_landmarks(model.expression_basis)
    jaw = torch.tensor([name.startswith("jaw") for name in names])
    lift = lift_by_skin(basis, jaw) / energy.outer_eye_length(template) * 100  # (K,) in % of the outer-eye distance
    return Problem(
        neutral=template,
        basis=basis,
        bounds=model.expression_bounds,
        landmark_weight=landmark_weights(settings.rim_weight, settings.bone_weight),
        prior=settings.expression_prior * (torch.eye(len(names)) + CHIN_PRIOR_WEIGHT * torch.outer(lift, lift)),
        gaps=facing_landmarks(),
        gap_weight=settings.gap_weight,
        jaw=jaw,
        jaw_weight=settings.expression_prior * JAW_WEIGHT * ("jawOpen" in names),
        ties=tuple((index[lower], index[upper]) for lower, upper in TIES if lower in index and upper in index),
        camera=camera,
    )


def lift_by_skin(basis: Tensor, jaw: Tensor) -> Tensor:
    """Measure how far each shape lifts the chin from the nose.

    A shape that moves the rest of the face more than the chin counts less.

    Args:
        basis: (K, 468, 3) displacements of the landmarks by each shape, mm.
        jaw: bool (K,), shapes that move the jawbone.

    Returns:
        (K,) mm, 0 for the shapes in ``jaw``.
    """
    way = basis[:, JAW_TIP].mean(1) - basis[:, NOSE_BRIDGE].mean(1)  # (K, 3)
    usual = basis.square().sum(-1).mean(1).sqrt()
    return way[:, 1] * (energy.length(way) / usual.clamp_min(1e-6)).clamp(max=1) * ~jaw


def facing_landmarks() -> Tensor:
    """Pair the landmarks that face each other across the mouth and both eyes, without corners: int64 (2, P), upper and lower."""
    rims = [RIMS[opening] for opening in (MOUTH, EYE_RIGHT, EYE_LEFT)]
    return torch.tensor([[point for rim in rims for point in rim[side][1:-1]] for side in range(2)])


def landmark_weights(rim_weight: float, bone_weight: float = 1.0) -> Tensor:
    """Weight the landmarks: (468,), 1 on average.

    Args:
        rim_weight: relative weight on the rims of eyes and mouth and on the brows, which carry expression.
        bone_weight: relative weight where expressions hardly move the face, so that a smile does not turn the head.
    """
    weight = torch.ones(FACE_POINTS)
    weight[list(BONY)] = bone_weight
    weight[[*around(*OPENINGS), *BROWS, *mirror_points(BROWS)]] = rim_weight
    return weight / weight.mean()
