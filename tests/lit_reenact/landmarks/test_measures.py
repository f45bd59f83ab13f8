"""Sizes and angles read off landmarks, against values worked by hand."""

from __future__ import annotations

import pytest
import torch

from lit_reenact.core.facemesh import ABOVE_LIP, FOREHEAD_TOP, LEFT_OUTER_EYE, RIGHT_OUTER_EYE
from lit_reenact.landmarks.measures import DEPTH_SCALE, head_angles, outer_eye_axis, outer_eye_distance


def face(left: tuple[float, float, float], right: tuple[float, float, float]) -> torch.Tensor:
    """One frame (1, 478, 3) with the outer eye corners at two places and an upright nose."""
    points = torch.zeros(1, 478, 3)
    points[0, LEFT_OUTER_EYE], points[0, RIGHT_OUTER_EYE] = torch.tensor(left), torch.tensor(right)
    points[0, FOREHEAD_TOP, 1], points[0, ABOVE_LIP, 1] = -50.0, 50.0
    return points


def test_outer_eye_distance_is_measured_over_all_coordinates() -> None:
    points = face((12.0, 3.0, 0.0), (0.0, -1.0, 3.0))
    assert outer_eye_axis(points).tolist() == [[12.0, 4.0, -3.0]]
    assert outer_eye_distance(points).tolist() == [13.0]
    assert outer_eye_distance(points[0, :, :2]).tolist() == pytest.approx(160**0.5)


def test_head_angles_of_turned_eyes() -> None:
    tilted = head_angles(face((10.0, 10.0, 0.0), (0.0, 0.0, 0.0)))[0]
    assert tilted[2] == pytest.approx(45.0)
    turned = head_angles(face((10.0, 0.0, 10.0 / DEPTH_SCALE), (0.0, 0.0, 0.0)))[0]
    assert turned[[0, 2]].tolist() == pytest.approx([45.0, 0.0])
