"""Triangles of the 468 FaceMesh points, and their regions.

MediaPipe ships the mesh as a set of edges (``FACEMESH_TESSELATION``); triangles, holes and orientation follow from it.
"""

from __future__ import annotations

import importlib.util
import runpy
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.facemesh import LOWER_LIP_RIM, RIGHT_LOWER_LID, RIGHT_UPPER_LID, UPPER_LIP_RIM, Points, mirror_points

SKIN, EYE_LEFT, EYE_RIGHT, MOUTH, HEAD = 0, 1, 2, 3, 4
"""Values of ``FaceModel.region``: skin of the face, the fills of its three holes, and the head beyond its outline."""

OPENINGS = (EYE_LEFT, EYE_RIGHT, MOUTH)
"""Regions that show the inside of the eyes and the mouth."""

Triangle = tuple[int, int, int]
Rim = tuple[Points, Points]

RIMS: dict[int, Rim] = {
    EYE_LEFT: (mirror_points(RIGHT_UPPER_LID), mirror_points(RIGHT_LOWER_LID)),
    EYE_RIGHT: (RIGHT_UPPER_LID, RIGHT_LOWER_LID),
    MOUTH: (UPPER_LIP_RIM, LOWER_LIP_RIM),
}
"""Points above and below each opening, in the order of ``OPENINGS``; points of equal rank face each other."""


def around(*openings: int) -> list[int]:
    """Return the points around openings, the corners of each twice."""
    return [point for opening in openings for side in RIMS[opening] for point in side]


def build_topology() -> tuple[Tensor, Tensor]:
    """Build all triangles, oriented counter-clockwise seen from outside, and their regions.

    Returns:
        faces int64 (898, 3): 852 of skin, then 14 of the left eye, 14 of the right eye, 18 of the mouth.
        region uint8 (898,): SKIN, EYE_LEFT, EYE_RIGHT or MOUTH.
    """
    skin = _orient(_skin_triangles(_edges()))
    fills = {region: _strip(*rim, from_left=region == EYE_LEFT) for region, rim in RIMS.items()}
    triangles = skin + [t for fill in fills.values() for t in fill]
    region = [SKIN] * len(skin) + [name for name, fill in fills.items() for _ in fill]
    return torch.tensor(triangles), torch.tensor(region, dtype=torch.uint8)


def _edges() -> set[frozenset[int]]:
    """Read the edges of FaceMesh from MediaPipe's file alone: importing the package takes seconds."""
    package = importlib.util.find_spec("mediapipe")
    if package is None or package.origin is None:
        raise ReenactError(
            "MediaPipe, whose FaceMesh gives the face model its triangles, is not installed: install this project's pins"
        )
    connections = runpy.run_path(str(Path(package.origin).parent / "python" / "solutions" / "face_mesh_connections.py"))
    return {frozenset(edge) for edge in connections["FACEMESH_TESSELATION"]}


def _skin_triangles(edges: set[frozenset[int]]) -> list[Triangle]:
    """Return the 3-cycles of the edges, less those around a point of degree 3 (all their edges already lie in two triangles)."""
    neighbours: dict[int, set[int]] = {}
    for a, b in edges:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    around = {edge: set.intersection(*(neighbours[v] for v in edge)) for edge in edges}
    cycles = sorted({tuple(sorted((*edge, c))) for edge, third in around.items() for c in third})
    return [(a, b, c) for a, b, c in cycles if not all(len(around[frozenset(e)]) == 3 for e in ((a, b), (b, c), (a, c)))]


def _orient(triangles: list[Triangle]) -> list[Triangle]:
    """Turn the triangles so that neighbours run along their common edge in opposite directions, and all face outward."""
    by_edge: dict[frozenset[int], list[int]] = {}
    for number, (a, b, c) in enumerate(triangles):
        for edge in ((a, b), (b, c), (c, a)):
            by_edge.setdefault(frozenset(edge), []).append(number)
    # The mouth's upper rim runs from right to left along the skin's border, so the skin lies above: outward for this one.
    first = next(iter(by_edge[frozenset((82, 13))]))
    (third,) = set(triangles[first]) - {82, 13}
    result: dict[int, Triangle] = {first: (82, 13, third)}
    open_ends = [first]
    while open_ends:
        a, b, c = result[open_ends.pop()]
        for start, end in ((a, b), (b, c), (c, a)):
            for number in by_edge[frozenset((start, end))]:
                if number not in result:
                    (third,) = set(triangles[number]) - {start, end}
                    result[number] = (end, start, third)
                    open_ends.append(number)
    return [result[number] for number in range(len(triangles))]


def _strip(upper: Points, lower: Points, *, from_left: bool) -> list[Triangle]:
    """Fill the hole between two rims that share their corners; ``from_left``: they start at the hole's left end."""
    triangles: list[Triangle] = []
    for (u0, u1), (l0, l1) in zip(pairwise(upper), pairwise(lower), strict=True):
        # Right to left in the subject's sense is left to right in the picture: lower, then upper, is counter-clockwise.
        triangles += [t for t in ((u0, l0, l1), (u0, l1, u1)) if len(set(t)) == 3]
    return [(a, c, b) for a, b, c in triangles] if from_left else triangles
