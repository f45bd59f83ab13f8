"""Eyes and mouth behind the holes of the photographed skin: eyeballs that turn, teeth, tongue and the dark between them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from lit_reenact.core.facemesh import LEFT_IRIS, LOWER_LIP_MIDDLE, LOWER_LIP_RIM, RIGHT_IRIS, UPPER_LIP_MIDDLE, UPPER_LIP_RIM
from lit_reenact.demo_clips.portrait import DETAIL, Image, Portrait, disc, polygon
from lit_reenact.demo_clips.puppet import Reshape, unproject
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, RIMS

EYE_RADIUS = 7.6  # from the eyeball's centre to the iris, photograph pixels
IRIS_RADIUS = 3.75
MOUTH_BELOW = 20  # room for the open mouth below the photographed one

_SCLERA = np.array([0.78, 0.74, 0.71], np.float32)
_CAVITY = np.array([0.15, 0.045, 0.045], np.float32)
_TONGUE = np.array([0.50, 0.20, 0.19], np.float32)


@dataclass(frozen=True)
class Patch:
    """A slightly curved rectangle behind a hole, rigid with the skull.

    Attributes:
        corner: x and y of the top-left corner, canvas pixels.
        size: width and height, canvas pixels.
        points: vertices (V, 3) in the coordinates of ``Puppet.rest``.
        faces: vertex indices of the triangles, int64 (F, 3).
        positions: vertices (V, 2) in the patch, canvas pixels from its corner.
    """

    corner: tuple[int, int]
    size: tuple[int, int]
    points: Tensor
    faces: Tensor
    positions: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the texture."""
        return self.size[1] * DETAIL, self.size[0] * DETAIL

    def pixels(self) -> tuple[Image, Image]:
        """Return x and y of the texture's pixels in canvas pixels, each of ``shape``."""
        y, x = np.mgrid[: self.shape[0], : self.shape[1]].astype(np.float32)
        return (x + 0.5) / DETAIL + self.corner[0], (y + 0.5) / DETAIL + self.corner[1]


class Eye:
    """One eye, painted again for every direction of gaze.

    Args:
        portrait: photograph with landmarks.
        reshape: function from the photograph's geometry to the person's.
        left: whether it is the subject's left eye.
        iris: colour of the iris, RGB in [0, 1].
    """

    def __init__(self, portrait: Portrait, reshape: Reshape, *, left: bool, iris: tuple[float, float, float]) -> None:
        upper, lower = RIMS[EYE_LEFT if left else EYE_RIGHT]
        rim = portrait.landmarks[list({*upper, *lower})]
        self.patch = _patch(rim, reshape, margin=3, below=0, depth=1.2, bottom_depth=1.2)
        self._centre = portrait.landmarks[(LEFT_IRIS if left else RIGHT_IRIS).start, :2]
        self._iris = np.array(iris, np.float32)
        x, y = self.patch.pixels()
        middle, half = (rim[:, 0].max() + rim[:, 0].min()) / 2, np.ptp(rim[:, 0]) / 2
        # The ball turns away from the light towards the corners of the eye and below the upper lid.
        shade = (1 - 0.42 * ((x - middle) / half) ** 2) * (0.72 + 0.28 * _step(y - rim[:, 1].min(), 1.0, 4.0))
        self._white = _SCLERA * shade[..., None]

    def paint(self, yaw: float, pitch: float) -> Image:
        """Return the texture of the eye that looks along ``yaw``, ``pitch`` (radians), RGB in [0, 1]."""
        x, y = self.patch.pixels()
        dx = x - self._centre[0] - EYE_RADIUS * np.sin(yaw) * np.cos(pitch)
        dy = y - self._centre[1] + EYE_RADIUS * np.sin(pitch)
        radius = np.hypot(dx, dy) / IRIS_RADIUS
        # Brighter at the side opposite to the light, darker at the rim and in the pupil.
        glow = (0.75 + 0.5 * _step(dy, -2.0, 3.0)) * (1 - 0.65 * _step(radius, 0.72, 1.0)) * _step(radius, 0.3, 0.48)
        image = _blend(self._white, self._iris * glow[..., None], 1 - _step(radius, 0.88, 1.08))
        spark = np.exp(-0.5 * ((dx + 1.1) ** 2 + (dy + 1.2) ** 2) / 0.5**2)
        return _blend(image, np.ones(3, np.float32), 0.85 * spark)


class Mouth:
    """The inside of the mouth; the upper teeth are the photograph's, the lower ones their mirror image.

    Args:
        portrait: photograph with landmarks.
        reshape: function from the photograph's geometry to the person's.
    """

    def __init__(self, portrait: Portrait, reshape: Reshape) -> None:
        rim = portrait.landmarks[list({*UPPER_LIP_RIM, *LOWER_LIP_RIM})]
        self.patch = _patch(rim, reshape, margin=2, below=MOUTH_BELOW, depth=9.0, bottom_depth=34.0)
        x, y = self.patch.pixels()
        column, row = self.patch.corner[0] * DETAIL, self.patch.corner[1] * DETAIL
        smile = portrait.texture[row : row + self.patch.shape[0], column : column + self.patch.shape[1]]
        hole = portrait.landmarks[[*UPPER_LIP_RIM, *LOWER_LIP_RIM[::-1]], :2] - self.patch.corner
        shown = cv2.erode(polygon(hole * DETAIL, self.patch.shape), disc(2)).astype(np.float32)
        bright = smile.min(-1)
        shown *= _step(bright, 0.25, 0.45)
        self._upper_shown = np.asarray(cv2.GaussianBlur(shown, (0, 0), 0.4 * DETAIL), np.float32)
        self._middle = float(portrait.landmarks[UPPER_LIP_MIDDLE, 0])
        away = np.abs(x - self._middle) / 20
        self._upper = smile * (0.92 - 0.45 * away**2)[..., None]
        self._edge = float(portrait.landmarks[LOWER_LIP_MIDDLE, 1])  # where the upper teeth end
        self._lower = self._upper[::-1] * 0.78
        self._lower_shown = self._upper_shown[::-1] * _step(1 - away, 0.25, 0.6)
        self._flip = 2 * self.patch.corner[1] + self.patch.size[1] - self._edge  # the row in which the flipped teeth begin
        depth = _step(y - self._edge, -4.0, 14.0)
        self._dark = _CAVITY * (1.0 - 0.5 * depth[..., None])

    def paint(self, drop: float) -> Image:
        """Return the texture of the mouth with the lower jaw ``drop`` pixels down, RGB in [0, 1]."""
        x, y = self.patch.pixels()
        floor = self._edge - 4.0 + drop  # height of the lower teeth's edge
        tongue = 1 - _step(np.hypot((x - self._middle) / 12, (y - floor - 3.0) / 5.0), 0.55, 1.1)
        image = _blend(self._dark, _TONGUE * min(1.0, 0.35 + drop / 16), 0.85 * tongue)
        shift = (floor - self._flip) * DETAIL
        lower, shown = (_shift(layer, shift) for layer in (self._lower, self._lower_shown))
        image = _blend(image, lower, shown)
        return _blend(image, self._upper, self._upper_shown)


def _patch(rim: Image, reshape: Reshape, *, margin: int, below: int, depth: float, bottom_depth: float) -> Patch:
    """Return a patch behind the rim (N, 3) of a hole, curved like the rim, ``depth`` pixels deeper; below the rim it recedes."""
    left, top = (int(v) for v in np.floor(rim[:, :2].min(0)) - margin)
    right, bottom = (int(v) for v in np.ceil(rim[:, :2].max(0)) + margin)
    size = (right - left, bottom - top + below)
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(0, size[0], 7), [0, bottom - top, size[1]]))
    z = np.polyval(np.polyfit(rim[:, 0], rim[:, 2], 2), x + left) + np.interp(y, [bottom - top, size[1]], [depth, bottom_depth])
    n = (torch.arange(2)[:, None] * 7 + torch.arange(6)).flatten()
    faces = torch.cat([torch.stack([n, n + 7, n + 8], 1), torch.stack([n, n + 8, n + 1], 1)])
    seen = reshape(torch.from_numpy(np.column_stack([x + left, y + top, z])).float())
    return Patch((left, top), size, unproject(seen), faces, torch.from_numpy(np.column_stack([x, y])).float())


def _step(value: Image, low: float, high: float) -> Image:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _blend(below: Image, above: Image, share: Image) -> Image:
    return below + (above - below) * share[..., None]


def _shift(image: Image, down: float) -> Image:
    matrix = np.array([[1, 0, 0], [0, 1, down]], np.float64)
    return np.asarray(cv2.warpAffine(image, matrix, (image.shape[1], image.shape[0])))
