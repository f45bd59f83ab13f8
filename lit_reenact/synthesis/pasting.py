"""Pasting a generated crop back into the full frame that it was cut from: feathered, colours matched, nothing else touched."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lit_reenact.core.schema import CropBox
from lit_reenact.video import Frame

Image = npt.NDArray[np.float32]

FEATHER = 1 / 16
"""Width of the band along the border in which one picture passes into the other, as a fraction of the crop's side."""

REACH = 3.0
"""Depth to which colours are corrected, less and less inwards, in widths of that band: no edge shows, the face keeps its own."""

GRID = 64
"""Side of the small pictures in which colours are compared; every colour difference that matters is visible in them."""


class Paster:
    """Pastes crops into frames of one size.

    The generated picture fades in over a band inside the crop's border. A large-scale difference there (a little more light,
    another tint) would still be visible as an edge: the blurred difference of the two pictures in the band is added to the
    generated one, fully at the border and less and less inwards. Where the crop ends with the frame, no other picture lies
    beyond, and that side is left alone.

    Args:
        crop: position of the crop in the frame.
        width: width of the frame in pixels.
        height: height of the frame in pixels.

    Raises:
        ValueError: the crop reaches out of the frame.

    Example:
        >>> paster = Paster(CropBox(x=40, y=30, side=120), width=240, height=200)
        >>> pasted = paster(frame, generated_crop)
    """

    def __init__(self, crop: CropBox, width: int, height: int) -> None:
        right, below = width - crop.x - crop.side, height - crop.y - crop.side
        if min(crop.x, crop.y, right, below) < 0:
            raise ValueError(f"{crop} does not lie in a frame of {width}x{height}")
        self.crop = crop
        self.size = (width, height)
        self._columns, self._rows = (crop.x > 0, right > 0), (crop.y > 0, below > 0)
        self.seamless = not any(self._columns + self._rows)
        self._opacity = _ease(self._distances(crop.side) / FEATHER).prod(0)[..., None]  # (side, side, 1) of the generated picture
        nearest = self._distances(GRID).min(0)
        self._band = (nearest < FEATHER).astype(np.float32)[..., None]
        self._correction_weight = 1 - _ease(nearest / (REACH * FEATHER))[..., None]

    def __call__(self, frame: Frame, crop: Frame) -> Frame:
        """Return a copy of the frame with the generated picture in it.

        Args:
            frame: uint8 (height, width, 3).
            crop: generated picture, uint8 (S, S, 3); scaled to the crop's side.

        Raises:
            ValueError: the frame has another size than the paster was made for.
        """
        if frame.shape[1::-1] != self.size:
            raise ValueError(f"a frame of {frame.shape[1::-1]} where {self.size} was expected")
        area = np.s_[self.crop.y : self.crop.y + self.crop.side, self.crop.x : self.crop.x + self.crop.side]
        pasted = frame.copy()
        picture = _resize(crop, self.crop.side)
        if self.seamless:
            pasted[area] = picture
            return pasted
        matched = picture + self._correction(frame[area], crop)
        blend = frame[area] + self._opacity * (matched - frame[area])
        pasted[area] = np.rint(blend).clip(0, 255).astype(np.uint8)
        return pasted

    def _correction(self, real: Frame, crop: Frame) -> Image:
        """Return the colours to be added to the generated picture, (side, side, 3)."""
        difference = _resize(real, GRID).astype(np.float32) - _resize(crop, GRID)
        blurred, weight = (_blur(image) for image in (self._band * difference, self._band[..., 0]))
        smooth = self._correction_weight * blurred / np.maximum(weight, 1e-6)[..., None]
        return np.asarray(cv2.resize(smooth, (self.crop.side,) * 2, interpolation=cv2.INTER_LINEAR), dtype=np.float32)

    def _distances(self, side: int) -> Image:
        """Return the distances of pixels to the crop's four sides, (4, side, side) in sides; infinite where the frame ends."""
        centres = (np.arange(side, dtype=np.float32) + 0.5) / side
        columns = [np.broadcast_to(d, (side, side)) for d in _distances_to_ends(centres, self._columns)]
        rows = [np.broadcast_to(d[:, None], (side, side)) for d in _distances_to_ends(centres, self._rows)]
        return np.stack(columns + rows)


def _distances_to_ends(centres: Image, inside_frame: tuple[bool, bool]) -> list[Image]:
    return [d if inside else np.full_like(d, np.inf) for d, inside in zip((centres, 1 - centres), inside_frame, strict=True)]


def _ease(position: Image) -> Image:
    """Smoothstep: from 0 at 0 to 1 at 1, level at both ends."""
    inside = position.clip(0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside), dtype=np.float32)


def _resize(image: Frame, side: int) -> Frame:
    interpolation = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (side, side), interpolation=interpolation), dtype=np.uint8)


def _blur(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), GRID * FEATHER, borderType=cv2.BORDER_CONSTANT), dtype=np.float32)
