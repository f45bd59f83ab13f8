"""Noise floors with a detector whose errors are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lit_reenact.evaluation import references
from lit_reenact.metrics.landmarks_68 import Landmarks68

WIDTH, EYES = 100, 40.0


def detect(noise: float, bias: float) -> object:
    """Return a detector of points that it places by the box, too far right by ``bias`` and by noise of that deviation."""
    generator = torch.Generator().manual_seed(0)
    shape = torch.zeros(68, 2)
    shape[36, 0], shape[45, 0] = -EYES / 2, EYES / 2

    def detector(network: Landmarks68, images: Tensor, boxes: Tensor) -> Tensor:
        offsets = noise * torch.randn(len(boxes), 68, 2, generator=generator)
        return boxes[:, None, :2] + shape + torch.tensor([bias, 0.0]) + offsets

    return detector


@pytest.mark.parametrize(("noise", "bias"), [(0.0, 3.0), (0.5, 0.0), (0.5, 3.0)])
def test_the_floor_is_the_noise_and_not_the_bias(noise: float, bias: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "detect_68", detect(noise, bias))
    frames = torch.zeros(200, WIDTH, WIDTH, 3, dtype=torch.uint8)
    landmarks = 30 + 40 * torch.rand(200, 478, 3, generator=torch.Generator().manual_seed(1))
    floor = references._floor_68(frames, landmarks)
    expected = noise * math.sqrt(2) * math.sqrt(math.pi / 2)  # mean length of the difference of two normal offsets in the plane
    assert floor == pytest.approx(100 * expected / EYES, rel=0.05, abs=1e-3)
