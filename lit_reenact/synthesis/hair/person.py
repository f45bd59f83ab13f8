"""Where the person is in a frame, by MediaPipe's selfie segmentation, whose model comes with its package."""

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
    """Finds the person in frames, hair and clothes and all. Each frame is seen by itself."""

    def __init__(self) -> None:
        self._model: Any = None

    def __call__(self, frames: Tensor) -> Tensor:
        """Masks of frames uint8 (N, H, W, 3): bool (N, H, W), without holes."""
        with quiet_stderr():
            if self._model is None:
                from mediapipe.python.solutions.selfie_segmentation import (
                    SelfieSegmentation,
                )  # here, for the import takes seconds

                self._model = SelfieSegmentation(model_selection=0)
            likely = [self._model.process(np.ascontiguousarray(frame)).segmentation_mask for frame in frames.numpy()]
        return torch.from_numpy(np.stack([_without_holes(mask > 0.5) for mask in likely]))


def _without_holes(mask: Mask) -> Mask:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, outlines, -1, (1,), cv2.FILLED)
    return filled > 0


def grown(masks: Tensor, reach: int) -> Tensor:
    """Masks bool (N, H, W) with all that lies within a square of ``reach`` pixels to each side of them."""
    wide: Tensor = torch.nn.functional.max_pool2d(masks[:, None].float(), 2 * reach + 1, stride=1, padding=reach)
    return wide[:, 0] > 0


def shrunk(masks: Tensor, reach: int) -> Tensor:
    """Masks bool (N, H, W) without all that lies within a square of ``reach`` pixels to each side of what is not in them."""
    return ~grown(~masks, reach)
