"""Expressions of the photographed face: displacements of the 468 FaceMesh points, in pixels of the photograph.

The photograph smiles with open lips. The shape "rest" closes the lips and removes the smile; every motion starts from there.
Axes: x to the right of the picture, y down, z away from the viewer.
"""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor

from lit_reenact.core.facemesh import (
    LOWER_LIP_RIM,
    RIGHT_LOWER_LID,
    RIGHT_UPPER_LID,
    UPPER_LIP_RIM,
    mirror_indices,
    mirror_points,
)
from lit_reenact.face.laplacian import interpolate, interpolation_kernel

SHAPES = ("rest", "jaw", "smile", "pucker", "brows", "blinkLeft", "blinkRight")
"""Names of the shapes of ``expression_shapes``; a weight of 1 is the largest displacement."""

Handles = dict[int, tuple[float, float, float]]

_RIGHT_UPPER_CREASE = (247, 30, 29, 27, 28, 56, 190)
_RIGHT_ABOVE_CREASE = (113, 225, 224, 223, 222, 221, 189)
_RIGHT_LOWER_CREASE = (25, 110, 24, 23, 22, 26, 112)
_STILL = (
    10, 8, 168, 6, 197, 195, 5, 4, 1, 33, 133, 159, 145, 27, 23, 70, 63, 105, 66, 107, 234, 127, 162, 21, 54, 103, 67, 109, 93,
)  # fmt: skip
"""Points of the right half that neither lips nor jaw move: eyes, brows, nose, the sides and top of the outline."""

_NO_SMILE: Handles = {
    61: (5.5, 5.4, -1.5), 78: (5.5, 5.4, -1.5), 0: (0, 1.2, -0.6), 13: (0, 1.0, -0.6), 14: (0, 1.0, -0.6), 17: (0, 1.6, -0.6),
    37: (0.4, 1.4, -0.6), 84: (0.5, 1.8, -0.6), 82: (0.8, 1.4, -0.6), 87: (0.8, 1.4, -0.6), 80: (3.0, 3.2, -0.9),
    88: (3.0, 3.2, -0.9), 39: (1.7, 2.1, -0.9), 181: (1.9, 2.6, -0.9), 205: (1.5, 3.0, 0.8), 50: (0.6, 1.6, 0.8),
    187: (1.0, 2.0, 0.5), 152: (0, 0.4, 0), 98: (1.0, 0.3, 0), 2: (0, 0, 0),
}  # fmt: skip
_PUCKER: Handles = {
    61: (5.0, -0.4, -2.4), 78: (5.0, -0.4, -2.4), 0: (0, -0.8, -3.6), 13: (0, 0.0, -3.6), 14: (0, 0.0, -3.6),
    17: (0, 0.7, -3.6), 37: (0.6, -1.0, -3.4), 84: (1.0, 0.7, -3.4), 82: (1.2, 0, -3.4), 87: (1.2, 0, -3.4),
    80: (3.0, -0.2, -2.9), 88: (3.0, -0.2, -2.9), 39: (1.7, -0.8, -3.0), 181: (2.0, 0.5, -3.0), 205: (1.2, 0, 0.4),
    152: (0, -0.5, -0.3), 2: (0, 0, 0), 98: (0.2, 0, 0),
}  # fmt: skip
_BROWS: Handles = {
    105: (0, -5.2, 0.4), 66: (0, -5.4, 0.2), 107: (0, -5.6, 0.2), 63: (0, -4.8, 0.6), 70: (0, -3.4, 0.8), 46: (0, -2.6, 0.5),
    52: (0, -4.4, 0.2), 65: (0, -4.6, 0), 27: (0, -0.8, 0), 159: (0, 0, 0), 33: (0, 0, 0), 133: (0, 0, 0), 8: (0, -1.4, 0),
    168: (0, 0, 0), 151: (0, -2.4, 0), 10: (0, 0, 0), 109: (0, 0, 0), 103: (0, 0, 0), 54: (0, 0, 0), 21: (0, 0, 0),
    162: (0, 0, 0), 127: (0, 0, 0), 234: (0, 0, 0), 50: (0, 0, 0), 4: (0, 0, 0), 23: (0, 0, 0), 152: (0, 0, 0),
}  # fmt: skip

_JAW_ANGLE = 0.29  # radians at jaw 1
_JAW_SHARE = {
    152: 1.0, 148: 1.0, 176: 1.0, 149: 0.95, 150: 0.85, 136: 0.68, 172: 0.45, 58: 0.2, 132: 0.06, 93: 0.0, 234: 0.0, 175: 1.0,
    199: 1.0, 200: 1.0, 18: 1.0, 17: 0.98, 14: 0.96, 87: 0.94, 178: 0.86, 88: 0.74, 95: 0.6, 84: 0.96, 181: 0.88, 91: 0.76,
    146: 0.62, 61: 0.42, 78: 0.42, 13: -0.06, 82: -0.03, 81: 0.04, 80: 0.14, 191: 0.28, 0: -0.04, 37: -0.02, 39: 0.05,
    40: 0.15, 185: 0.3, 2: 0.0, 98: 0.0, 205: 0.12, 50: 0.0,
}  # fmt: skip


def expression_shapes(points: Tensor, faces: Tensor) -> Tensor:
    """Return the displacements (7, 468, 3) of ``SHAPES``.

    Args:
        points: (468, 3) photographed face.
        faces: triangles of the skin, int64 (F, 3).
    """
    points = points.double()
    kernel = interpolation_kernel(points, faces, reach=30.0)
    closed = _solve(kernel, _lips_closed(points), still=(*_STILL, 2, 98, 152, 148, 172, 58, 205, 50))
    relaxed = _solve(kernel, _both_sides(_NO_SMILE), still=(*_STILL, 58, 172, 136))
    jaw = _solve(kernel, _jaw(points), still=_STILL)
    pucker = _solve(kernel, _both_sides(_PUCKER), still=(*_STILL, 58, 172, 136, 150, 149))
    brows = _solve(kernel, _both_sides(_BROWS), still=())
    right, left = _blink(points, mirror=False), _blink(points, mirror=True)
    return torch.stack([closed + relaxed, jaw, -relaxed, pucker, brows, left, right]).float()


def _solve(kernel: Tensor, handles: Handles, still: tuple[int, ...]) -> Tensor:
    everywhere = dict.fromkeys(chain(still, mirror_points(still)), (0.0, 0.0, 0.0)) | handles
    return interpolate(kernel, torch.tensor(list(everywhere)), torch.tensor(list(everywhere.values()), dtype=torch.float64))


def _both_sides(right: Handles) -> Handles:
    mirror = mirror_indices()
    return right | {int(mirror[v]): (-x, y, z) for v, (x, y, z) in right.items() if int(mirror[v]) != v}


def _lips_closed(points: Tensor) -> Handles:
    """Close the lips: inner rims meet just above the middle, the upper a little over the lower; outer rims follow in part."""
    handles: Handles = {}
    for upper, lower in zip(UPPER_LIP_RIM[1:-1], LOWER_LIP_RIM[1:-1], strict=True):
        x, y, z = (points[lower] - points[upper]).tolist()
        handles[upper] = (0.55 * x, 0.55 * y + 0.1, 0.5 * z)
        handles[lower] = (-0.45 * x, -0.45 * y - 0.1, -0.5 * z)
    gap = float(points[14, 1] - points[13, 1])
    for outer, part in {0: 0.3, 37: 0.3, 39: 0.25, 40: 0.15, 17: -0.2, 84: -0.2, 181: -0.15}.items():
        for vertex in {outer, *mirror_points((outer,))}:
            handles[vertex] = (0, part * gap, 0)
    return handles | dict.fromkeys((61, 78, 291, 308), (0.0, 0.0, 0.0))


def _jaw(points: Tensor) -> Handles:
    """Open the jaw: it turns about its joints, which lie at the height of the ears."""
    hinge_y, hinge_z = 160.0, 40.0
    handles: Handles = {}
    for vertex, share in _JAW_SHARE.items():
        for v in {vertex, *mirror_points((vertex,))}:
            y, z = float(points[v, 1]) - hinge_y, float(points[v, 2]) - hinge_z
            handles[v] = (0, -share * _JAW_ANGLE * z, share * _JAW_ANGLE * y * 0.6)
    return handles


def _blink(points: Tensor, *, mirror: bool) -> Tensor:
    """Close an eye: the upper lid moves down to the lower one, which rises a little; the creases follow in part."""
    rings = (RIGHT_UPPER_LID[1:-1], RIGHT_LOWER_LID[1:-1], _RIGHT_UPPER_CREASE, _RIGHT_ABOVE_CREASE, _RIGHT_LOWER_CREASE)
    shape = torch.zeros_like(points)
    for columns in zip(*rings, strict=True):
        upper, lower, crease, above, below = mirror_points(columns) if mirror else columns
        opening = points[lower] - points[upper]
        # The skin of the whole lid comes down with its edge; it is the part above it that stretches.
        for vertex, share in ((upper, 0.86), (crease, 0.62), (above, 0.28), (lower, -0.18), (below, -0.05)):
            shape[vertex] = share * opening
    return shape
