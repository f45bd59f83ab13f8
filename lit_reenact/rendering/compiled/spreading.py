"""Relaxation of images, compiled: the sums of ``spreading.relax``, a pixel at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lit_reenact.rendering.compiled.jit import ZERO, Floats, kernel

QUARTER = np.float32(0.25)


@kernel
def relax(values: Floats, known: npt.NDArray[np.bool_], sweeps: int) -> None:
    """Replace, in place, every unknown pixel by the mean of its four neighbours, several times.

    Args:
        values: float32 (C, H, W); beyond the border of the image all values are 0.
        known: bool (H, W), pixels that keep their values.
        sweeps: number of times.
    """
    channels, height, width = values.shape
    current, following = np.zeros((height + 2, width + 2), np.float32), np.zeros((height + 2, width + 2), np.float32)
    fixed, share = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    for channel in range(channels):
        for row in range(height):
            for column in range(width):
                r, c = np.uint64(row), np.uint64(column)
                value = values[channel, r, c]
                current[r + np.uint64(1), c + np.uint64(1)] = value
                fixed[r, c], share[r, c] = (value, ZERO) if known[r, c] else (ZERO, QUARTER)
        for _ in range(sweeps):
            for row in range(height):  # slices and products instead of conditions: several pixels at once
                above, here, below = current[row], current[row + 1], current[row + 2]
                fixed_here, share_here, result = fixed[row], share[row], following[row + 1]
                for column in range(width):
                    c = np.uint64(column)
                    middle, right = c + np.uint64(1), c + np.uint64(2)
                    around = here[c] + here[right] + above[middle] + below[middle]
                    result[middle] = fixed_here[c] + share_here[c] * around
            current, following = following, current
        values[channel] = current[1:-1, 1:-1]
