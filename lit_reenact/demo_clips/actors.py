"""The two people of the embedded clips: the photographed one, and another derived from the same photograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from lit_reenact.core.facemesh import LOWER_LIP_EDGE, RIGHT_BROW_BOTTOM, RIGHT_BROW_TOP, UPPER_LIP_EDGE, mirror_points
from lit_reenact.demo_clips.portrait import DETAIL, HEIGHT, WIDTH, Image, Portrait, disc, load_portrait, polygon
from lit_reenact.demo_clips.puppet import Reshape

Colour = tuple[float, float, float]

SHAPE = (DETAIL * HEIGHT, DETAIL * WIDTH)  # of the textures


@dataclass(frozen=True)
class Person:
    """A person to animate.

    Attributes:
        portrait: textures and landmarks.
        reshape: function from the photograph's geometry to the person's.
        iris: colour of the eyes, RGB in [0, 1].
        light: vector added to the light's direction, in canvas axes (right, down, away).
        jaw_travel: factor of the mouth's opening; 1 for the photographed person.
        mirrored: whether the frames are mirrored.
    """

    portrait: Portrait
    reshape: Reshape
    iris: Colour
    light: tuple[float, float, float]
    jaw_travel: float
    mirrored: bool


def photographed_person() -> Person:
    """Return the photographed person, unchanged."""
    iris, light = (0.36, 0.21, 0.11), (0.0, 0.0, 0.0)
    return Person(load_portrait(), reshape=torch.clone, iris=iris, light=light, jaw_travel=1.0, mirrored=False)


def other_person() -> Person:
    """Return a person with another face shape, hair, skin, eyes, clothes, background and light."""
    iris, light = (0.26, 0.29, 0.26), (1.1, -0.1, 0.2)
    return Person(_recolour(load_portrait()), reshape=_reshape, iris=iris, light=light, jaw_travel=1.2, mirrored=True)


def _recolour(portrait: Portrait) -> Portrait:
    """Give the portrait dark hair, strong brows, tanned skin, stubble, and blue clothes in front of a dark green wall."""
    points = portrait.landmarks[:, :2] * DETAIL
    skin = _grade(portrait.texture, brightness=0.70, contrast=1.05, tint=(1.03, 0.94, 0.82))
    brow = np.max([_polygon(points, ring, SHAPE, grow=0.5, soft=0.9) for ring in _BROWS], 0)
    skin *= 1 - 0.66 * brow[..., None]
    lips = _polygon(points, _LIPS, SHAPE, grow=0.0, soft=0.6)
    skin *= 1 + lips[..., None] * np.array([0.05, -0.12, -0.09], np.float32)
    stubble = _polygon(points, _BEARD, SHAPE, grow=0.5, soft=4.5) * (1 - _polygon(points, _LIPS, SHAPE, grow=1.25, soft=0.75))
    grain = cv2.GaussianBlur(np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), (0, 0), 0.3 * DETAIL) * 0.22
    skin *= 1 - (stubble * (0.27 + grain).clip(0, 1))[..., None] * np.array([1.0, 0.97, 0.88], np.float32)
    hair = _grade(portrait.texture, brightness=0.36, contrast=1.1, tint=(1.0, 0.93, 0.88), colour=0.45)
    head = _mix(skin, hair, portrait.hair)
    inside = ((portrait.head - 0.5) / 0.4).clip(0, 1)  # mixed pixels at the edge belong to the scenery
    texture = _mix(_scenery(portrait.texture), head, inside)
    return replace(portrait, texture=texture.clip(0, 1), plate=_scenery(portrait.plate))


def _reshape(points: Tensor) -> Tensor:
    """Widen jaw and nose, lengthen the chin, narrow the eyes and move them apart, lower the brows, flatten the hair."""
    x, y = points[..., 0], points[..., 1]
    side = (x - 133.5) / 45
    result = points.clone()
    low = torch.sigmoid((y - 185) / 8) * torch.sigmoid((232 - y) / 5)
    result[..., 0] += 6.5 * low * side.clamp(-1.1, 1.1)
    result[..., 1] += 4.5 * torch.sigmoid((y - 203) / 5) * torch.sigmoid((228 - y) / 3)
    nose = _bump(points, 133.5, 167, 13, 13)
    result[..., 0] += 0.30 * nose * (x - 133.5)
    result[..., 1] += 2.0 * _bump(points, 133.5, 170, 12, 8)
    for eye in (114.0, 157.0):
        result[..., 1] -= 0.15 * _bump(points, eye, 142, 14, 8) * (y - 142)
        result[..., 0] += 1.6 * _bump(points, eye, 142, 14, 12) * (1 if eye > 133 else -1)
        result[..., 1] += 2.6 * _bump(points, eye, 131, 18, 6)
    away = (((x - 136) / 74) ** 2 + ((y - 137) / 84) ** 2).sqrt()
    hair = torch.sigmoid((away - 0.72) / 0.06) * torch.sigmoid((180 - y) / 8)
    result[..., 0] -= 0.17 * hair * (x - 136)
    result[..., 1] -= 0.13 * hair * (y - 137).clamp(max=0)
    return result


def _bump(points: Tensor, x: float, y: float, width: float, height: float) -> Tensor:
    return torch.exp(-(((points[..., 0] - x) / width) ** 2) - ((points[..., 1] - y) / height) ** 2)


def _scenery(image: Image) -> Image:
    """Swap red and blue (the orange suit turns blue) and make the light wall darker and greenish; black stays black."""
    swapped = image[..., ::-1]
    bright = image.min(-1, keepdims=True) ** 1.5
    return np.asarray(swapped * (1 - bright * np.array([0.72, 0.50, 0.56], np.float32)), np.float32)


def _grade(image: Image, *, brightness: float, contrast: float, tint: Colour, colour: float = 1.0) -> Image:
    grey = image.mean(-1, keepdims=True)
    graded = (grey + colour * (image - grey)) ** contrast * brightness * np.array(tint, np.float32)
    return np.asarray(graded, np.float32)


def _mix(below: Image, above: Image, share: Image) -> Image:
    return below + (above - below) * share[..., None]


def _polygon(points: Image, ring: Sequence[int], shape: tuple[int, int], *, grow: float, soft: float) -> Image:
    """Return a soft mask of the polygon through some landmarks, grown and softened by canvas pixels."""
    mask = cv2.dilate(polygon(points[list(ring)], shape), disc(round(grow * DETAIL))).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), soft * DETAIL), np.float32)


_RIGHT_BROW = (*RIGHT_BROW_TOP, *RIGHT_BROW_BOTTOM[::-1])
_BROWS = (_RIGHT_BROW, mirror_points(_RIGHT_BROW))
_BEARD = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 410, 391, 326, 2, 97, 165, 186)
_LIPS = (*UPPER_LIP_EDGE, *LOWER_LIP_EDGE[-2:0:-1])
