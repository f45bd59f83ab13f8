"""Head beyond the built-in face: forehead, skull, ears and neck, as rings of vertices from the face's outline to the neck.

Each ring has as many vertices as the outline, and vertex k of a ring continues vertex k of the one before: the columns on top
run over the skull to the nape, those at the chin under the jaw and down the throat.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lit_reenact.core.facemesh import FOREHEAD_TOP, mirror_indices
from lit_reenact.face.laplacian import cotangent_laplacian
from lit_reenact.face.unwrapping import border

RINGS = (
    ((78.0, 4.0), (-111.0, 12.0), 73.0, 56.0, 0.80),
    ((96.0, -18.0), (-115.0, 0.0), 77.0, 62.0, 0.72),
    ((108.0, -52.0), (-119.0, -12.0), 78.0, 58.0, 0.66),
    ((111.0, -85.0), (-123.0, -20.0), 79.0, 54.0, 0.64),
    ((104.0, -118.0), (-127.0, -26.0), 78.0, 45.0, 0.64),
    ((82.0, -148.0), (-132.0, -31.0), 76.0, 32.0, 0.66),
    ((40.0, -168.0), (-138.0, -34.0), 72.0, 20.0, 0.72),
    ((-10.0, -165.0), (-145.0, -37.0), 66.0, 10.0, 0.80),
    ((-58.0, -148.0), (-154.0, -40.0), 59.0, 4.0, 0.90),
    ((-105.0, -140.0), (-165.0, -43.0), 56.0, 0.0, 1.00),
    ((-150.0, -142.0), (-180.0, -47.0), 58.0, 0.0, 1.00),
)
"""Shape of each ring, in mm and head axes: y and z of its highest point, over the skull; y and z of its lowest, at the throat;
half its width; distance of its sides behind the line between those two; fullness of its sides (1: an ellipse, less: fuller).
Written by hand, in view of ICT-FaceKit's head (MIT licence: see ``generic_mean.csv``).
"""

FREE = 2
"""Number of rings next to the face that bend so that skin and skull meet without an edge."""

STILL = 5
"""Number of the first ring that no expression moves."""

REACH = 40.0
"""Distance (mm) over which the skin beyond the outline follows it."""

EARS = {
    1: {7: (-0.5, 0.0, -5.0), 8: (-0.5, 0.0, -7.0), 9: (-0.5, 0.0, -8.0), 10: (-0.5, 0.0, -8.0)},
    2: {7: (10.0, 5.0, -13.0), 8: (15.0, 1.0, -14.0), 9: (13.5, 0.0, -10.0), 10: (4.0, 4.0, -4.0)},
    3: {7: (-2.0, 0.0, 10.0), 8: (-4.0, 0.0, 13.0), 9: (-4.0, 0.0, 10.0), 10: (-3.0, 0.0, 5.0)},
}
"""Displacement (outward, up, forward), mm, of vertices of the right side by ring and column: before, on and behind the ear."""


@dataclass(frozen=True)
class Head:
    """N vertices of the head around a face of V vertices and C vertices on its outline.

    Attributes:
        vertices: float64 (N, 3) mm, numbered after those of the face.
        faces: int64 (F, 3) triangles, counter-clockwise seen from outside.
        mirror: int64 (N,) number of the vertex on the other side.
        outline: int64 (C,) border of the face, which is the first ring.
        fading: float64 (N, V) weights that continue an expression's displacements of the face over the head, where they fade out.
        following: float64 (N, V) weights that continue an identity's displacements: skull and neck grow with the outline.
    """

    vertices: Tensor
    faces: Tensor
    mirror: Tensor
    outline: Tensor
    fading: Tensor
    following: Tensor


def build_head(mean: Tensor, face: Tensor) -> Head:
    """Build the head around a symmetric face.

    Args:
        mean: float64 (V, 3) vertices of the face, mm in head axes.
        face: int64 (F, 3) triangles of the face, without holes.
    """
    (outline,) = border(face)
    outline = outline.roll(-int((outline == FOREHEAD_TOP).nonzero()))
    columns, count = len(outline), len(mean)
    numbers = torch.cat([outline[None], count + torch.arange(len(RINGS) * columns).view(-1, columns)])  # (1 + rings, columns)
    opposite = -torch.arange(columns) % columns  # the column on the other side
    mirror = torch.cat([mirror_indices(), numbers[1:, opposite].flatten()])
    faces = _sides(numbers, mirror)
    mesh = torch.cat([face, faces])

    points = torch.cat([mean, _rings(mean[outline]).flatten(0, 1)])
    free, still = numbers[1 : 1 + FREE].flatten(), numbers[1 + STILL :].flatten()
    bent = continuation(points, mesh, torch.cat([torch.arange(count), numbers[1 + FREE :].flatten()]), torch.inf)
    points[free] = (bent @ points)[free]
    reflection = points.new_tensor([-1.0, 1.0, 1.0])
    for ring, moves in EARS.items():
        for column, move in moves.items():
            right, left = numbers[1 + ring, [column, int(opposite[column])]]
            points[right] += points.new_tensor(move) * reflection
            points[left] += points.new_tensor(move)
    points[count:] = ((points + points[mirror] * reflection) / 2)[count:]

    fading = continuation(points, mesh, torch.cat([torch.arange(count), still]), REACH)[count:, :count]
    return Head(
        vertices=points[count:],
        faces=faces,
        mirror=mirror[count:],
        outline=outline,
        fading=fading,
        following=_following(points, outline, fading),
    )


def continuation(vertices: Tensor, faces: Tensor, known: Tensor, reach: float) -> Tensor:
    """Return the weights float64 (V, V) of the smoothest values of all vertices by those of the known ones; other columns are 0.

    The energy is that of ``laplacian.interpolation_kernel``.

    Args:
        vertices: float64 (V, 3) mm.
        faces: int64 (F, 3) triangles.
        known: int64 (K,) vertices whose values are given.
        reach: distance (mm) over which values fade where none is given; inf if they do not fade.
    """
    laplacian, area = cotangent_laplacian(vertices, faces)
    screened = laplacian + torch.diag(area / reach**2)
    bending = screened @ (screened / area[:, None])
    unknown = torch.ones(len(vertices), dtype=torch.bool)
    unknown[known] = False
    result = torch.diag((~unknown).double())
    rows = torch.linalg.solve(bending[unknown][:, unknown], -bending[unknown][:, known])
    result[unknown.nonzero(), known] = rows
    return result


def _rings(outline: Tensor) -> Tensor:
    """Return all rings (R, C, 3) without ears; each column keeps the angle at which it leaves the outline (C, 3)."""
    height = outline[:, 1]
    below = 2 * (height.amax() - height) / (height.amax() - height.amin()) - 1  # -1 on top, 1 at the chin
    angle = torch.atan2(outline[:, 0] / outline[:, 0].amax(), -below)
    rings = []
    for top, bottom, width, bow, fullness in RINGS:
        crown, throat = outline.new_tensor(top), outline.new_tensor(bottom)
        along = (throat - crown) / 2
        behind = torch.stack([along[1], -along[0]]) / along.norm()
        behind = behind * -behind[1].sign()
        profile = (crown + throat) / 2 - angle.cos()[:, None] * along + bow * angle.sin().square()[:, None] * behind
        side = width * angle.sin().sign() * angle.sin().abs() ** fullness
        rings.append(torch.cat([side[:, None], profile], 1))
    return torch.stack(rings)


def _sides(numbers: Tensor, mirror: Tensor) -> Tensor:
    """Return two triangles between each two neighbours of a ring and those of the next: int64 (F, 3), symmetric."""
    half = numbers[:, : numbers.shape[1] // 2 + 1]  # from the crown over the right side to the chin
    near, ahead, far, diagonal = half[:-1, :-1], half[:-1, 1:], half[1:, :-1], half[1:, 1:]
    right = torch.cat([torch.stack([ahead, near, far], -1), torch.stack([ahead, far, diagonal], -1)], 1).flatten(0, 1)
    return torch.cat([right, mirror[right].flip(1)])


def _following(points: Tensor, outline: Tensor, fading: Tensor) -> Tensor:
    """Return ``Head.following``: the affine part of the outline's motion, in x and y, continues unchanged; the rest fades."""
    affine = torch.cat([torch.ones_like(points[:, :1]), points[:, :2]], 1)
    count = fading.shape[1]
    fitted = points.new_zeros(3, count)
    fitted[:, outline] = torch.linalg.pinv(affine[outline])
    whole = affine @ fitted  # (V + N, V)
    result: Tensor = whole[count:] + fading @ (torch.eye(count, dtype=points.dtype) - whole[:count])
    return result
