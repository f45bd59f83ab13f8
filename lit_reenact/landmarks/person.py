"""Masks of a person, by MediaPipe's selfie segmentation, whose model comes with its package."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from lit_reenact.landmarks.detection import quiet_stderr

Mask = npt.NDArray[np.bool_]


class PersonSegmenter:
    """Segments the person, with hair and clothes, in every frame by itself.

    Example:
        >>> person = PersonSegmenter()(frames)  # uint8 (N, H, W, 3) to bool (N, H, W)
    """

    def __init__(self) -> None:
        self._model: Any = None

    def __call__(self, frames: Tensor) -> Tensor:
        """Return the masks of frames uint8 (N, H, W, 3): bool (N, H, W), without holes."""
        with quiet_stderr():
            if self._model is None:
                from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation  # takes seconds

                self._model = SelfieSegmentation(model_selection=0)
            probabilities = [self._model.process(np.ascontiguousarray(frame)).segmentation_mask for frame in frames.numpy()]
        return torch.from_numpy(np.stack([_fill_holes(mask > 0.5) for mask in probabilities]))


def _fill_holes(mask: Mask) -> Mask:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, (1,), cv2.FILLED)
    return filled > 0


def grow(masks: Tensor, reach: int) -> Tensor:
    """Grow masks, bool (N, H, W), by ``reach`` pixels to each side (a square)."""
    square = 2 * reach + 1
    rows = max_pool2d(masks.float(), (1, square), stride=1, padding=(0, reach))
    wide: Tensor = max_pool2d(rows, (square, 1), stride=1, padding=(reach, 0))
    return wide > 0


def shrink(masks: Tensor, reach: int) -> Tensor:
    """Shrink masks, bool (N, H, W), by ``reach`` pixels from each side (a square)."""
    return ~grow(~masks, reach)


def main_regions(masks: Tensor, reach: int = 0) -> Tensor:
    """Return masks, bool (N, H, W), without their smaller regions, which are things of a person's colours in the background.

    Args:
        masks: masks of a person, bool (N, H, W).
        reach: distance from the largest region, pixels along a side, within which smaller ones stay.
    """
    return torch.from_numpy(np.stack([_main_region(mask, reach) for mask in masks.numpy()]))


def _main_region(mask: Mask, reach: int) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count == 1:  # nothing but background
        return mask
    largest: Mask = labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
    near = cv2.dilate(largest.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    kept: Mask = np.isin(labels, np.setdiff1d(labels[near], [0]))
    return kept
