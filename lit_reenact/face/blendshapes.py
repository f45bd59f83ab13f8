"""Expressions of the built-in model: a few handles with displacements, and the skin between them as smooth as it can be."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from lit_reenact.core.facemesh import LOWER_LIP_RIM, RIGHT_LOWER_LID, RIGHT_UPPER_LID, UPPER_LIP_RIM, mirror_indices
from lit_reenact.face.handles import Shape
from lit_reenact.face.laplacian import interpolate, interpolation_kernel
from lit_reenact.face.lower_face import CLOSE_FOLLOWS, CLOSE_HELD, JAW, LIPS, MOUTH_CORNERS
from lit_reenact.face.upper_face import BLINK_HELD, BLINK_LOWER_LID, BLINK_UPPER_FOLDS, EYES_AND_BROWS, NOSE_AND_CHEEKS

JAW_HINGE = (-20.0, -70.0)
"""y and z (mm, head axes) of the axis through both jaw joints."""

JAW_ANGLE = 13.0
"""Degrees by which the jaw turns when it is fully open: 29 mm at the chin."""

UPPER_LIP_SHARE = 0.25
"""Share of the open jaw's gap that the upper lip bridges in ``mouthClose``."""

LARGEST = 1.2
"""Largest sensible coefficient: some faces go beyond the full expression of the mean face."""

Displacements = dict[int, Tensor]
"""Displacement of each handle, float64 (3,) mm in head axes, by its FaceMesh number."""


def jaw_moves(points: Tensor) -> dict[str, Tensor]:
    """Return the displacements (N, 3) of points (N, 3) that move with the jawbone, by the name of the full expression, mm."""
    angle = torch.deg2rad(points.new_tensor(JAW_ANGLE))
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    arm = points[:, 1:] - points.new_tensor(JAW_HINGE)
    return {
        "jawOpen": torch.nn.functional.pad(arm @ turn.T - arm, (1, 0)),  # nothing along x, the hinge's axis
        "jawForward": points.new_tensor([0.0, 0.5, 8.0]).expand_as(points),
        "jawLeft-jawRight": points.new_tensor([9.0, 0.0, 0.0]).expand_as(points),
    }


def expression_blendshapes(mean: Tensor, skin: Tensor, eyeballs: Tensor) -> tuple[Tensor, tuple[str, ...], Tensor]:
    """Build all expressions over the mean face, in alphabetical order.

    ``mouthClose`` undoes the gap of ``jawOpen``: it makes sense only up to the value of ``jawOpen``.

    Args:
        mean: float64 (V, 3) the neutral face, symmetric, mm in head axes.
        skin: int64 (F, 3) the triangles without the fills, so that nothing spreads from lip to lip or from lid to lid.
        eyeballs: float64 (2, 3) centres of the left and the right eyeball.

    Returns:
        basis float64 (K, V, 3), names, bounds float64 (K, 2).
    """
    kernel = cache(lambda reach: interpolation_kernel(mean, skin, reach))
    fields: dict[str, Tensor] = {}

    def add(name: str, kind: str, handles: Displacements, reach: float) -> None:
        fields.update(_fields(name, kind, handles, kernel(reach)))

    for shape in (*EYES_AND_BROWS, *NOSE_AND_CHEEKS, *MOUTH_CORNERS, *LIPS):
        add(shape.name, shape.kind, _in_head_axes(shape), shape.reach)
    add("eyeBlink", "pair", _blink(mean, eyeballs[1]), reach=15.0)
    for name, moves in jaw_moves(mean).items():
        kind = "sideways" if "-" in name else "symmetric"
        add(name, kind, {i: weight * moves[i] for i, weight in JAW.items()}, reach=40.0)
    add("mouthClose", "symmetric", _close_lips(mean, fields["jawOpen"]), reach=20.0)

    names = tuple(sorted(fields))
    bounds = [[-LARGEST if "-" in name else 0.0, LARGEST] for name in names]
    return torch.stack([fields[name] for name in names]), names, torch.tensor(bounds)


def _fields(name: str, kind: str, handles: Displacements, kernel: Tensor) -> dict[str, Tensor]:
    """Spread the handles of the right side to displacement fields (V, 3) by name; ``kind`` is that of a ``Shape``."""
    if kind == "pair":
        right = _solve(handles, kernel)
        return {f"{name}Left": _mirror(right), f"{name}Right": right}
    side = 1.0 if kind == "symmetric" else -1.0  # sideways: a forward move on one side is a backward move on the other
    mirror = mirror_indices()
    others = {int(mirror[i]): side * _reflect(move) for i, move in handles.items()}
    field = _solve(others | handles, kernel)
    return {name: (field + side * _mirror(field)) / 2}


def _solve(handles: Displacements, kernel: Tensor) -> Tensor:
    return interpolate(kernel, torch.tensor(list(handles)), torch.stack(list(handles.values())))


def _reflect(moves: Tensor) -> Tensor:
    """Reflect displacements (..., 3): x changes sign."""
    return moves * moves.new_tensor([-1.0, 1.0, 1.0])


def _mirror(field: Tensor) -> Tensor:
    """Mirror a field (V, 3) of the whole face."""
    return _reflect(field[mirror_indices()])


def _in_head_axes(shape: Shape) -> Displacements:
    """Convert the moves of a table to head axes: outward is -x on the right side; "sideways" moves are along x already."""
    moves = {i: torch.tensor(move, dtype=torch.float64) for i, move in shape.moves.items()}
    return moves if shape.kind == "sideways" else {i: _reflect(move) for i, move in moves.items()}


def _blink(mean: Tensor, eyeball: Tensor) -> Displacements:
    """Close the right eye: the lower lid rises a little, the upper one comes down onto it around the eyeball."""
    handles = {i: _reflect(mean.new_tensor(move)) for i, move in BLINK_LOWER_LID.items()}
    handles |= {i: mean.new_zeros(3) for i in BLINK_HELD}
    for upper, lower in list(zip(RIGHT_UPPER_LID, RIGHT_LOWER_LID, strict=True))[1:-1]:
        ray = mean[lower] + handles[lower] - eyeball
        distance = (mean[lower] - eyeball).norm()  # as far in front of the eyeball as the open lower lid
        meeting = eyeball + ray / ray.norm() * distance
        handles |= {lower: meeting - mean[lower], upper: meeting - mean[upper]}
    for row, part in BLINK_UPPER_FOLDS:
        handles |= {fold: part * handles[rim] for fold, rim in zip(row, RIGHT_UPPER_LID[1:-1], strict=True)}
    return handles


def _close_lips(mean: Tensor, jaw_open: Tensor) -> Displacements:
    """Close the lips of the open jaw: added to ``jawOpen``, it brings their rims as near as they are at rest."""
    handles = {i: mean.new_zeros(3) for i in CLOSE_HELD}
    for upper, lower in list(zip(UPPER_LIP_RIM, LOWER_LIP_RIM, strict=True))[1:6]:  # the right half and the middle
        gap = jaw_open[upper] - jaw_open[lower]
        handles |= {upper: -UPPER_LIP_SHARE * gap, lower: (1 - UPPER_LIP_SHARE) * gap}
    return handles | {i: part * handles[rim] for i, (rim, part) in CLOSE_FOLLOWS.items()}
