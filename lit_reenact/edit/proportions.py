"""Proportions of a face under plain names, as directions in the identity space of any face model.

Each is a simple displacement of the landmarks (wider: all of them move outward in proportion), approximated by the nearest
identity in the least-squares sense. An identity has no position: the shift of the whole head that is part of a displacement goes
to the head's position, so that a longer face grows from the eyes without moving them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from lit_reenact.core.facemesh import CHIN, FOREHEAD_TOP, LEFT_INNER_EYE, LEFT_OUTER_EYE, RIGHT_INNER_EYE, RIGHT_OUTER_EYE
from lit_reenact.face import FaceModel
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, around

UNLIKELY = 0.1
"""Penalty of unusual identities: error of each landmark, mm, that counts as much as one standard deviation."""

NOSE, NOSE_REACH = (1, 4, 5, 195, 48, 278), 13.0
EYE_REACH = 14.0
"""FaceMesh points around a nose, and the distance, mm, over which the changes of nose and eyes fade out."""

LOWER_LIP, JAW_RAMP = 17, 8.0
"""FaceMesh point where the jaw begins, and the distance, mm, over which its change fades in."""


@dataclass(frozen=True)
class Proportion:
    """Direction of change; an extent of 1 doubles the named length of the mean face.

    Attributes:
        identity: (K,) change of the identity coefficients.
        shift: (3,) mm in head axes, change of the head's position.
        expressed: share of the displacement's squared length that identities can express, at most 1.
    """

    identity: Tensor
    shift: Tensor
    expressed: float


Field = Callable[[Tensor], Tensor]
"""Function from landmarks (468, 3) to their displacement (468, 3) for an extent of 1, mm."""


def _wider(points: Tensor) -> Tensor:
    return points * points.new_tensor([1, 0, 0])


def _longer(points: Tensor) -> Tensor:
    return points * points.new_tensor([0, 1, 0])  # the origin lies between the eyes


def _nose(points: Tensor) -> Tensor:
    return _enlarge(points, points[list(NOSE)].mean(0) * points.new_tensor([0, 1, 0.5]), NOSE_REACH)


def _jaw(points: Tensor) -> Tensor:
    low = torch.sigmoid((points[LOWER_LIP, 1] - points[:, 1]) / JAW_RAMP)
    return low[:, None] * _wider(points)


def _eye_size(points: Tensor) -> Tensor:
    middles = (points[around(eye)].mean(0) for eye in (EYE_LEFT, EYE_RIGHT))
    return torch.stack([_enlarge(points, middle, EYE_REACH) for middle in middles]).sum(0) * points.new_tensor([1, 1, 0])


def _enlarge(points: Tensor, middle: Tensor, reach: float) -> Tensor:
    near = torch.exp(-((points - middle).square().sum(-1, keepdim=True)) / (2 * reach**2))
    return near * (points - middle)


FIELDS: dict[str, tuple[Field, tuple[tuple[int, int], ...]]] = {
    "wider": (_wider, ((234, 454),)),
    "longer": (_longer, ((FOREHEAD_TOP, CHIN),)),
    "nose": (_nose, ((48, 278), (4, 195))),
    "jaw": (_jaw, ((172, 397),)),
    "eye_size": (_eye_size, ((RIGHT_OUTER_EYE, RIGHT_INNER_EYE), (LEFT_OUTER_EYE, LEFT_INNER_EYE))),
}
"""Displacement of each proportion, and the pairs of FaceMesh points whose distance it changes."""


@lru_cache(maxsize=4)
def proportions(model: FaceModel) -> dict[str, Proportion]:
    """Return all proportions of ``FIELDS`` for a face model."""
    points = model.landmarks(model.vertices).double()
    moves = model.at_landmarks(model.identity_basis).double()  # (K, 468, 3)
    return {name: _nearest(field(points), lengths, points, moves, model) for name, (field, lengths) in FIELDS.items()}


def _nearest(
    displacement: Tensor, lengths: tuple[tuple[int, int], ...], points: Tensor, moves: Tensor, model: FaceModel
) -> Proportion:
    middle = displacement.mean(0)
    columns = (moves - moves.mean(1, keepdim=True)).flatten(1).T  # (1404, K), each about its own mean
    target = (displacement - middle).flatten()
    penalty = torch.diag(UNLIKELY**2 * len(points) / model.identity_scale.double().square())
    identity = torch.linalg.solve(columns.T @ columns + penalty, columns.T @ target)
    achieved = columns @ identity
    ends = torch.tensor(lengths).T
    after = (points[ends[0]] - points[ends[1]]) + (achieved.view(-1, 3)[ends[0]] - achieved.view(-1, 3)[ends[1]])
    before = (points[ends[0]] - points[ends[1]]).norm(dim=-1)
    growth = ((after.norm(dim=-1) - before) / before).mean()
    return Proportion(
        identity=(identity / growth).float(),
        shift=((middle - torch.tensordot(identity, moves.mean(1), dims=1)) / growth).float(),
        expressed=float(1 - (achieved - target).square().sum() / target.square().sum()),
    )
