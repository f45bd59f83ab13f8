"""A synthesised crop back into the full frame that it was cut from: feathered, its colours matched, nothing else touched."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lit_reenact.core.schema import CropBox
from lit_reenact.video import Frame

Image = npt.NDArray[np.float32]

FEATHER = 1 / 16
"""Width of the band along the border in which one picture passes into the other, as a part of the crop's side."""

REACH = 3.0
"""How many such bands inwards the colours are still corrected, less and less: no edge, and the face keeps its own."""

GRID = 64
"""Side of the small pictures that colours are compared in; a difference of colour that matters is seen in them."""


class Paster:
    """Pastes crops into frames of one size.

    The synthesised picture comes in over a band inside the crop's border. What differs there on a large scale (a little more
    light, another tint) would still be seen as a frame: the difference of the two pictures in the band, blurred, is added to
    the synthesised one, fully at the border and less and less inwards. Sides on which the crop ends with the frame have no
    other picture beyond them, and are left alone.

    Args:
        crop: where in the frame the crop lies.
        width: of the frame, pixels.
        height: of the frame, pixels.

    Raises:
        ValueError: the crop reaches out of the frame.
    """

    def __init__(self, crop: CropBox, width: int, height: int) -> None:
        right, below = width - crop.x - crop.side, height - crop.y - crop.side
        if min(crop.x, crop.y, right, below) < 0:
            raise ValueError(f"{crop} does not lie in a frame of {width}x{height}")
        self.crop = crop
        self.size = (width, height)
        self._columns, self._rows = (crop.x > 0, right > 0), (crop.y > 0, below > 0)
        self.seamless = not any(self._columns + self._rows)
        self._share = _ease(self._distances(crop.side) / FEATHER).prod(0)[..., None]  # (side, side, 1) of the synthesised picture
        near = self._distances(GRID).min(0)
        self._band = (near < FEATHER).astype(np.float32)[..., None]
        self._corrected = 1 - _ease(near / (REACH * FEATHER))[..., None]

    def __call__(self, frame: Frame, made: Frame) -> Frame:
        """The frame with the synthesised picture in it.

        Args:
            frame: uint8 (height, width, 3); not changed.
            made: uint8 (S, S, 3), what shall stand in the crop; enlarged or reduced to its size.
        """
        if frame.shape[1::-1] != self.size:
            raise ValueError(f"a frame of {frame.shape[1::-1]} where {self.size} was expected")
        area = np.s_[self.crop.y : self.crop.y + self.crop.side, self.crop.x : self.crop.x + self.crop.side]
        pasted = frame.copy()
        picture = _resized(made, self.crop.side)
        if self.seamless:
            pasted[area] = picture
            return pasted
        matched = picture + self._correction(frame[area], made)
        blend = frame[area] + self._share * (matched - frame[area])
        pasted[area] = np.rint(blend).clip(0, 255).astype(np.uint8)
        return pasted

    def _correction(self, real: Frame, made: Frame) -> Image:
        """What is added to the synthesised picture, (side, side, 3)."""
        difference = _resized(real, GRID).astype(np.float32) - _resized(made, GRID)
        blurred, weight = (_blurred(image) for image in (self._band * difference, self._band[..., 0]))
        smooth = self._corrected * blurred / np.maximum(weight, 1e-6)[..., None]
        return np.asarray(cv2.resize(smooth, (self.crop.side,) * 2, interpolation=cv2.INTER_LINEAR), dtype=np.float32)

    def _distances(self, side: int) -> Image:
        """How far pixels of the crop are from each of its sides, (4, side, side) in sides; infinite from the frame's own."""
        place = (np.arange(side, dtype=np.float32) + 0.5) / side
        columns = [np.broadcast_to(d, (side, side)) for d in _from_ends(place, self._columns)]
        rows = [np.broadcast_to(d[:, None], (side, side)) for d in _from_ends(place, self._rows)]
        return np.stack(columns + rows)


def _from_ends(place: Image, inner: tuple[bool, bool]) -> list[Image]:
    return [d if counts else np.full_like(d, np.inf) for d, counts in zip((place, 1 - place), inner, strict=True)]


def _ease(position: Image) -> Image:
    """From 0 at 0 to 1 at 1, with no slope at either."""
    inside = position.clip(0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside), dtype=np.float32)


def _resized(image: Frame, side: int) -> Frame:
    how = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (side, side), interpolation=how), dtype=np.uint8)


def _blurred(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), GRID * FEATHER, borderType=cv2.BORDER_CONSTANT), dtype=np.float32)
