"""Masks of the parts of a head in a picture, and the head without hair, both drawn from the face model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from lit_reenact.core.facemesh import CHIN, FOREHEAD, RIGHT_BROW_TOP, mirror_points
from lit_reenact.core.geometry import head_to_camera, project
from lit_reenact.core.schema import CONDITIONING_CHANNELS, FACE, Actor, Camera, FaceParameters
from lit_reenact.face import FaceModel
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.synthesis.hair.person import shrink
from lit_reenact.tracking.photometric import fill_holes
from lit_reenact.tracking.skin_colour import learn_skin_colour, may_be_skin

_RIGHT_FEATURES = (32, 211, 212, 216, 207, 50, 117, 111, 35, 46)  # from the chin up past mouth and eye
_RIGHT_BROW = tuple(zip(RIGHT_BROW_TOP, (71, 68, 104, 69, 108), strict=True))  # its upper edge, and the forehead above
# From the chin past the mouth and below the eye to the nose.
_RIGHT_CHEEK = (32, 211, 214, 192, 213, 147, 123, 116, 117, 118, 119, 100, 126, 217, 174, 196)

_AROUND = tuple((point, point) for point in (*_RIGHT_FEATURES[::-1], 175, *mirror_points(_RIGHT_FEATURES)))
_LEFT_BROW = tuple(mirror_points(pair) for pair in _RIGHT_BROW)
FEATURES = (*_AROUND, *_LEFT_BROW, *_RIGHT_BROW[::-1])
"""FaceMesh points around brows, eyes, nose and mouth, in pairs: the border runs between the points of a pair."""

BROW_SHARE = 0.4
"""Position of that border between a brow (0) and the forehead above it (1)."""

ROUNDER, ABOVE, BEHIND = 0.12, (15.0, 65.0), (0.0, 60.0)
"""Widening of the bare skull over the model's, which is made for the face below the hair: the fraction, and the ranges above and
behind the midpoint between the eyes, in mm, over which it sets in."""

CENTRE = (0.0, 15.0, -80.0)
"""Centre of the skull, mm in head axes; a skull that is too large for the person shrinks towards it."""

SKULLS = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Sizes of the skull to try, as fractions of the model's."""

OUTSIDE = 0.05
"""Largest fraction of a skull above the forehead that may lie outside the hair; the drawing is cut off there."""

BARE = (175, *_RIGHT_CHEEK, 197, *mirror_points(_RIGHT_CHEEK[::-1]))
"""FaceMesh points around the cheeks and the chin, where no hair of the head covers the skin."""

MIDDLE = (150, 379)
"""FaceMesh points on the edge of the jaw that are as far apart as a neck is wide."""


@dataclass(frozen=True)
class Anatomy:
    """The parts of a head in N pictures; masks are bool (N, H, W).

    Attributes:
        bald: drawing of the head with skin all over, black elsewhere, uint8 (N, H, W, 3).
        head: mask of the head and the neck.
        face: mask of the skin of the face, up to the hairline of the model.
        features: mask of brows, eyes, nose and mouth.
        on_top: half plane above the middle of the forehead.
        above_chin: half plane above the chin.
        middle: strip as wide as the neck, along the head's up axis.
    """

    bald: Tensor
    head: Tensor
    face: Tensor
    features: Tensor
    on_top: Tensor
    above_chin: Tensor
    middle: Tensor


class AnatomyRenderer:
    """Draws the anatomy of a person's head.

    Args:
        model: face model of the track.
        actor: the person.
        camera: camera of the working clip.
        size: side of the pictures in pixels.
        skull: size of the bare skull as a fraction of the model's.
    """

    def __init__(self, model: FaceModel, actor: Actor, camera: Camera, size: int, skull: float = 1.0) -> None:
        self._model, self._size = model, size
        self._actor = replace(actor, reflectance=bald_reflectance(model, actor), neutral=bare_skull(actor.neutral, skull))
        self._renderer = ConditioningRenderer(model, self._actor, camera, size)

    def __call__(self, parameters: FaceParameters) -> Anatomy:
        """Draw the anatomy of N frames."""
        drawn = self._renderer.draw(parameters)
        landmarks = self._model.landmarks_of(self._actor, parameters)
        points = project(head_to_camera(landmarks, parameters.rotation, parameters.translation), self._renderer.camera)[..., :2]
        on, above = (points[:, list(side)] for side in zip(*FEATURES, strict=True))
        features = [fill_polygon(outline, self._size) for outline in torch.lerp(on, above, BROW_SHARE)]
        return Anatomy(
            bald=drawn[:, :3].permute(0, 2, 3, 1),
            head=(drawn[:, 3:6] > 0).any(1),
            face=drawn[:, CONDITIONING_CHANNELS] >= FACE,
            features=torch.stack(features),
            **_half_planes(points, self._size),
        )


def fit_skull(
    model: FaceModel, actor: Actor, camera: Camera, size: int, parameters: FaceParameters, person: Tensor
) -> AnatomyRenderer:
    """Return the renderer with the largest of ``SKULLS`` that lies within a person's hair.

    Args:
        model: face model of the track.
        actor: the person.
        camera: camera of the working clip.
        size: side of the pictures in pixels.
        parameters: face parameters of N frames.
        person: mask of the person, with hair, in these frames, bool (N, size, size).
    """
    for skull in SKULLS:
        renderer = AnatomyRenderer(model, actor, camera, size, skull)
        anatomy = renderer(parameters)
        above = anatomy.head & anatomy.on_top
        if (above & ~person).sum() <= OUTSIDE * above.sum():
            break
    return renderer


def bare_skull(neutral: Tensor, size: float = 1.0) -> Tensor:
    """Return a neutral mesh (V, 3) with a rounder skull of some size; the face, which lies in front, stays as it is."""
    _, up, ahead = neutral.unbind(-1)
    weight = (_ramp(up, *ABOVE) * _ramp(-ahead, *BEHIND))[:, None]
    centre, wider = neutral.new_tensor(CENTRE), neutral.new_tensor([1 + ROUNDER, 1.0, 1.0])
    return torch.lerp(neutral, centre + size * (neutral * wider - centre), weight)


def _ramp(values: Tensor, start: float, stop: float) -> Tensor:
    """Smoothstep: from 0 at ``start`` to 1 at ``stop``."""
    position = ((values - start) / (stop - start)).clamp(0, 1)
    return position.square() * (3 - 2 * position)


def bald_reflectance(model: FaceModel, actor: Actor) -> Tensor:
    """Return the person's reflectance, (3, S, S), as skin all over: cheeks and chin, continued smoothly."""
    size = actor.reflectance.shape[-1]
    bare = fill_polygon(model.at_landmarks(model.uv)[list(BARE)] * size, size)
    texels = actor.reflectance.permute(1, 2, 0)
    skin = bare & may_be_skin(texels, learn_skin_colour(texels[bare]))
    return fill_holes(actor.reflectance, shrink(skin[None], 1)[0].float())


def fill_polygon(outline: Tensor, size: int) -> Tensor:
    """Draw a polygon (P, 2), in pixels, as a mask, bool (size, size)."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [outline.round().int().numpy()], (1,))
    return torch.from_numpy(mask).bool()


def _half_planes(points: Tensor, size: int) -> dict[str, Tensor]:
    """Divide N images along the axes of the heads in them, from landmarks (N, 468, 2): masks bool (N, size, size) by name."""
    centres = torch.arange(size) + 0.5
    pixels = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1)  # (size, size, 2)
    up = torch.nn.functional.normalize(points[:, FOREHEAD] - points[:, CHIN], dim=-1)
    across = torch.stack([-up[:, 1], up[:, 0]], -1)
    height, side = (torch.einsum("yxc,nc->nyx", pixels, axis) for axis in (up, across))
    chin, forehead = ((points[:, point] * up).sum(-1)[:, None, None] for point in (CHIN, FOREHEAD))
    ends = torch.stack([(points[:, end] * across).sum(-1) for end in MIDDLE], -1)[..., None, None]  # (N, 2, 1, 1)
    return {
        "on_top": height > forehead,
        "above_chin": height > chin,
        "middle": (side > ends.amin(1)) & (side < ends.amax(1)),
    }
