"""Optical flow between the frames of a clip."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor


def optical_flow(frames: Tensor, follows: Tensor) -> Tensor:
    """Compute the flow from each frame to the one before it by dense inverse search (Kroeger et al. 2016).

    Args:
        frames: uint8 (B, 3, H, W).
        follows: bool (B,), True where a frame of the batch comes next in its clip after the one before it in the batch.

    Returns:
        float16 (B, 2, H, W), right and down in pixels: a pixel at x was at x + flow. NaN in frames that follow no other.
    """
    flow = torch.full((len(frames), 2, *frames.shape[2:]), torch.nan, dtype=torch.float16)
    if follows.any():
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        grey = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in frames.permute(0, 2, 3, 1).numpy()]
        still = np.zeros((*grey[0].shape, 2), np.float32)
        for index in follows.nonzero()[:, 0].tolist():
            found = np.asarray(search.calc(grey[index], grey[index - 1], still.copy()))
            flow[index] = torch.from_numpy(found).permute(2, 0, 1)
    return flow
