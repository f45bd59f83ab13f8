"""Is the mouth covered? FaceMesh goes on guessing under a hand; the colour of the lips tells."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

LIPS = (0, 17, 37, 267, 84, 314, 185, 409, 146, 375, 40, 270, 91, 321)
SKIN = (205, 425, 200, 199, 50, 280)
"""Landmarks on the lips, and on cheeks and chin."""

COVERED = 0.4
"""Share of the lips' usual difference in colour from the skin below which they are not seen."""

LEAST_COLOUR = 1.0
"""Usual difference, in units of CIELAB, below which nothing can be told: a picture without colours, or lips as pale as skin."""


def lip_colour(frame: npt.NDArray[np.uint8], points: Tensor) -> Tensor:
    """How the lips differ in colour from the skin around: (2,) on the a and b axes of CIELAB; NaN without landmarks.

    Args:
        frame: uint8 (H, W, 3) RGB.
        points: (478, 3) landmarks in its pixels.
    """
    if not bool(points.isfinite().all()):
        return torch.full((2,), torch.nan)
    height, width = frame.shape[:2]
    x, y = points[[*LIPS, *SKIN], :2].floor().long().numpy().T
    colours = frame[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    lab = cv2.cvtColor(colours[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    return torch.from_numpy(lab[: len(LIPS), 1:].mean(0) - lab[len(LIPS) :, 1:].mean(0))


def covered_mouths(colours: Tensor, shortest: int) -> Tensor:
    """Frames in which something lies over the mouth, for at least ``shortest`` frames in a row: bool (T,).

    Found is what has no more of the lips' colour than skin has, such as hands, and all that is grey or dark. What covers the
    mouth of a video from its first frame to its last cannot be told from the person.

    Args:
        colours: (T, 2), ``lip_colour`` of each frame.
        shortest: frames.
    """
    usual = colours.contiguous().nanmedian(0).values  # of an expanded tensor torch returns what lies in memory
    if not bool(usual.norm() > LEAST_COLOUR):
        return torch.zeros(len(colours), dtype=torch.bool)
    covered = colours @ usual < COVERED * usual.square().sum()  # False where NaN
    kernel = torch.ones(1, 1, shortest)
    runs = torch.nn.functional.conv1d(covered.float()[None, None], kernel, padding=shortest - 1) >= shortest
    return torch.nn.functional.max_pool1d(runs.float(), shortest, stride=1)[0, 0].bool()
