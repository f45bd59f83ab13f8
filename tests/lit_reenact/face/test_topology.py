"""The triangulation of FaceMesh: counts, manifoldness, orientation, symmetry."""

from __future__ import annotations

from collections import Counter

import pytest
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
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, MOUTH, SKIN, build_topology


@pytest.fixture(scope="module")
def topology() -> tuple[Tensor, Tensor]:
    return build_topology()


def directed_edges(faces: Tensor) -> Counter[tuple[int, int]]:
    return Counter((t[k], t[(k + 1) % 3]) for t in faces.tolist() for k in range(3))


def border_loops(faces: Tensor) -> list[set[int]]:
    edges = directed_edges(faces)
    following = {a: b for a, b in edges if (b, a) not in edges}
    loops = []
    while following:
        start, vertex = following.popitem()
        loop = {start}
        while vertex != start:
            loop.add(vertex)
            vertex = following.pop(vertex)
        loops.append(loop)
    return loops


def test_counts(topology: tuple[Tensor, Tensor]) -> None:
    faces, region = topology
    assert faces.dtype == torch.int64
    assert region.dtype == torch.uint8
    assert [int((region == r).sum()) for r in (SKIN, EYE_LEFT, EYE_RIGHT, MOUTH)] == [852, 14, 14, 18]
    assert torch.unique(faces).tolist() == list(range(468))


def test_manifold_disc_with_one_orientation(topology: tuple[Tensor, Tensor]) -> None:
    faces, _ = topology
    edges = directed_edges(faces)
    assert max(edges.values()) == 1  # no edge twice in one direction: at most two triangles at an edge, turned alike
    undirected = {frozenset(edge) for edge in edges}
    assert 468 - len(undirected) + len(faces) == 1  # Euler's characteristic of a disc
    assert [len(loop) for loop in border_loops(faces)] == [36]


def test_holes_of_the_skin(topology: tuple[Tensor, Tensor]) -> None:
    faces, region = topology
    loops = sorted(border_loops(faces[region == SKIN]), key=len)
    assert [len(loop) for loop in loops] == [16, 16, 20, 36]
    right_eye, mouth = {*RIGHT_UPPER_LID, *RIGHT_LOWER_LID}, {*UPPER_LIP_RIM, *LOWER_LIP_RIM}
    for hole in (right_eye, set(mirror_points(tuple(right_eye))), mouth):
        assert hole in loops
    assert set(faces[region == EYE_RIGHT].flatten().tolist()) == right_eye
    assert set(faces[region == MOUTH].flatten().tolist()) == mouth


def test_mirror_image_has_the_same_edges(topology: tuple[Tensor, Tensor]) -> None:
    mirror = mirror_indices()
    edges = {frozenset(edge) for edge in directed_edges(topology[0][topology[1] == SKIN])}
    turned = {frozenset(int(mirror[v]) for v in edge) for edge in edges}
    assert len(edges - turned) <= 6  # MediaPipe split six quadrangles differently on the two sides
