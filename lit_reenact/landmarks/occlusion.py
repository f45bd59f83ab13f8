"""Detection of covered mouths by the colour of the lips; FaceMesh goes on guessing under a hand."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

LIPS = (0, 17, 37, 267, 84, 314, 185, 409, 146, 375, 40, 270, 91, 321)
"""Landmarks on the lips."""

SKIN = (205, 425, 200, 199, 50, 280)
"""Landmarks on cheeks and chin."""

COVERED = 0.4
"""Share of the lips' usual difference in colour from the skin below which the lips count as covered."""

LEAST_COLOUR = 1.0
"""Usual difference, in units of CIELAB, below which no mouth can be judged: a grey picture, or lips as pale as skin."""


def lip_colour(frame: npt.NDArray[np.uint8], points: Tensor) -> Tensor:
    """Return the difference in colour between lips and skin: (2,) on the a and b axes of CIELAB; NaN without landmarks.

    Args:
        frame: uint8 (H, W, 3) RGB.
        points: (478, 3) landmarks in pixels of the frame.
    """
    if not bool(points.isfinite().all()):
        return torch.full((2,), torch.nan)
    height, width = frame.shape[:2]
    x, y = points[[*LIPS, *SKIN], :2].floor().long().numpy().T
    colours = frame[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    lab = cv2.cvtColor(colours[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    return torch.from_numpy(lab[: len(LIPS), 1:].mean(0) - lab[len(LIPS) :, 1:].mean(0))


def find_covered_mouths(colours: Tensor, shortest: int) -> Tensor:
    """Find the frames in which something covers the mouth, for at least ``shortest`` frames in a row: bool (T,).

    Things are found that have no more of the lips' colour than skin has, such as hands, and all grey or dark ones. A thing that
    covers the mouth from the first frame of a video to its last cannot be told from the person.

    Args:
        colours: (T, 2), ``lip_colour`` of each frame.
        shortest: least number of frames in a row.
    """
    usual = colours.contiguous().nanmedian(0).values  # for an expanded tensor torch returns wrong medians
    if not bool(usual.norm() > LEAST_COLOUR):
        return torch.zeros(len(colours), dtype=torch.bool)
    covered = colours @ usual < COVERED * usual.square().sum()  # False where NaN
    kernel = torch.ones(1, 1, shortest)
    runs = torch.nn.functional.conv1d(covered.float()[None, None], kernel, padding=shortest - 1) >= shortest
    return torch.nn.functional.max_pool1d(runs.float(), shortest, stride=1)[0, 0].bool()
