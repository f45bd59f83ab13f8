"""FaceMesh numbers: both halves mirror each other, and the outline runs once around the face."""

from __future__ import annotations

from itertools import pairwise

import torch

from lit_reenact.core.facemesh import (
    CHIN,
    FACE_POINTS,
    FOREHEAD_TOP,
    LEFT_IRIS,
    LEFT_MOUTH_CORNER,
    LEFT_OUTER_EYE,
    MIDLINE,
    OUTLINE,
    RIGHT_IRIS,
    RIGHT_MOUTH_CORNER,
    RIGHT_OUTER_EYE,
    mirror_indices,
    mirror_points,
)
from lit_reenact.core.schema import LANDMARK_COUNT
from lit_reenact.face.topology import build_topology


def test_mirror_is_its_own_inverse_and_keeps_the_midline() -> None:
    mirror = mirror_indices()
    assert torch.equal(mirror[mirror], torch.arange(FACE_POINTS))
    assert (mirror == torch.arange(FACE_POINTS)).nonzero().flatten().tolist() == list(MIDLINE)


def test_mirror_of_points_known_from_the_chart() -> None:
    # Eye corners, mouth corners, brows, nostrils, cheeks, lids.
    assert mirror_points((33, 133, 61, 70, 98, 205, 159, 145)) == (263, 362, 291, 300, 327, 425, 386, 374)
    assert mirror_points((RIGHT_OUTER_EYE, RIGHT_MOUTH_CORNER)) == (LEFT_OUTER_EYE, LEFT_MOUTH_CORNER)


def test_outline_is_the_border_of_the_mesh() -> None:
    edges = {frozenset(edge) for face in build_topology()[0].tolist() for edge in pairwise([*face, face[0]])}
    assert len(set(OUTLINE)) == len(OUTLINE) == 36
    assert all(frozenset(edge) in edges for edge in pairwise([*OUTLINE, OUTLINE[0]]))
    assert (OUTLINE[0], OUTLINE[18]) == (FOREHEAD_TOP, CHIN)
    assert set(mirror_points(OUTLINE)) == set(OUTLINE)


def test_irises_follow_the_points_of_the_face() -> None:
    assert (RIGHT_IRIS.start, RIGHT_IRIS.stop, LEFT_IRIS.start, LEFT_IRIS.stop) == (468, 473, 473, LANDMARK_COUNT)
