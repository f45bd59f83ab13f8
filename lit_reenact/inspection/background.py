"""Shifts of the background, which show that the camera moves."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

Picture = cv2.typing.MatLike

CAMERA_STEP = 1.0
"""Shift of the background, in pixels of the small pictures, up to which the camera counts as still."""

LEAST_CORNERS = 6
"""Number of corners that a shift needs."""

CORNER_STRENGTH = 2e-4
"""Smallest eigenvalue of a corner that is more than noise or a hair in front of a wall."""


def moving_background(backgrounds: npt.NDArray[np.uint8], faces: Tensor) -> float | None:
    """Return the share of the pictures whose background as a whole has shifted against the middle picture.

    Corners beside and above the head are tracked: hair moves them in many directions, a camera moves all of them alike.

    Args:
        backgrounds: uint8 (N, h, w) grey pictures.
        faces: (N, 478, 2) landmarks in pixels of the pictures, NaN where there is no face.

    Returns:
        None if the background has too little texture.
    """
    middle = len(backgrounds) // 2
    # Automatic exposure changes a whole picture alike.
    pictures = [cv2.convertScaleAbs(picture, alpha=100 / max(float(picture.mean()), 1.0)) for picture in backgrounds]
    corners = _background_corners(pictures[middle], faces[middle].numpy())
    if len(corners) < LEAST_CORNERS:
        return None
    shifts = [_common_shift(pictures[middle], other, corners) for k, other in enumerate(pictures) if k != middle]
    is_shifted = [float(np.linalg.norm(shift)) > CAMERA_STEP for shift in shifts if shift is not None]
    return float(np.mean(is_shifted)) if len(is_shifted) >= len(shifts) / 3 else None


def _background_corners(picture: Picture, face: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return corners (K, 1, 2) outside the head and above the shoulders."""
    mask = np.full(picture.shape, 255, dtype=np.uint8)
    if np.isfinite(face).all():
        (left, top), (right, bottom) = face.min(0), face.max(0)
        width, height = right - left, bottom - top
        side = (max(0, round(left - 0.4 * width)), max(0, round(right + 0.4 * width)))
        mask[max(0, round(top - 0.6 * height)) :, side[0] : side[1]] = 0
        mask[max(0, round(bottom - 0.2 * height)) :] = 0
    mask[cv2.cornerMinEigenVal(picture, blockSize=5) < CORNER_STRENGTH] = 0
    corners = cv2.goodFeaturesToTrack(picture, maxCorners=100, qualityLevel=1e-6, minDistance=5, mask=mask, blockSize=5)
    return np.empty((0, 1, 2), dtype=np.float32) if corners is None else np.asarray(corners, dtype=np.float32)


def _common_shift(first: Picture, second: Picture, corners: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
    """Return the shift of most of the corners, (2,) pixels; None if they disagree."""
    there, seen, _ = cv2.calcOpticalFlowPyrLK(first, second, corners, corners.copy(), winSize=(15, 15), maxLevel=3)
    back, seen_back, _ = cv2.calcOpticalFlowPyrLK(second, first, there, corners.copy(), winSize=(15, 15), maxLevel=3)
    good = (seen[:, 0] > 0) & (seen_back[:, 0] > 0) & (np.abs(back - corners).max((1, 2)) < 0.5)
    moved = (there - corners)[good, 0]
    if len(moved) < LEAST_CORNERS:
        return None
    common = np.median(moved, axis=0)
    return common if float((np.abs(moved - common).max(1) < 1).mean()) > 0.6 else None
