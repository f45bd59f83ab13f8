"""Masks of a person, by MediaPipe's selfie segmentation, whose model comes with its package."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

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
    wide: Tensor = torch.nn.functional.max_pool2d(masks[:, None].float(), 2 * reach + 1, stride=1, padding=reach)
    return wide[:, 0] > 0


def shrink(masks: Tensor, reach: int) -> Tensor:
    """Shrink masks, bool (N, H, W), by ``reach`` pixels from each side (a square)."""
    return ~grow(~masks, reach)
