"""A person's head without hair: a bare skull, and skin all over."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from lit_reenact.core.facemesh import mirror_points
from lit_reenact.core.schema import Actor
from lit_reenact.face import FaceModel
from lit_reenact.landmarks.person import shrink
from lit_reenact.tracking.photometric import fill_holes
from lit_reenact.tracking.skin_colour import learn_skin_colour, may_be_skin

# From the chin past the mouth and below the eye to the nose.
_RIGHT_CHEEK = (32, 211, 214, 192, 213, 147, 123, 116, 117, 118, 119, 100, 126, 217, 174, 196)

BARE_SKIN = (175, *_RIGHT_CHEEK, 197, *mirror_points(_RIGHT_CHEEK[::-1]))
"""FaceMesh points around the cheeks and the chin, where no hair of the head covers the skin."""

ROUNDER, ABOVE, BEHIND = 0.12, (15.0, 65.0), (0.0, 60.0)
"""Widening of the bare skull over the model's, which is made for the face below the hair: the fraction, and the ranges above and
behind the midpoint between the eyes, in mm, over which it sets in."""

SKULL_CENTRE = (0.0, 15.0, -80.0)
"""Centre of the skull, mm in head axes; a skull that is too large for the person shrinks towards it."""


def bare_skull(neutral: Tensor, size: float = 1.0) -> Tensor:
    """Return a neutral mesh (V, 3) with a rounder skull of some size; the face, which lies in front, stays as it is."""
    _, up, ahead = neutral.unbind(-1)
    weight = (_ramp(up, *ABOVE) * _ramp(-ahead, *BEHIND))[:, None]
    centre, wider = neutral.new_tensor(SKULL_CENTRE), neutral.new_tensor([1 + ROUNDER, 1.0, 1.0])
    return torch.lerp(neutral, centre + size * (neutral * wider - centre), weight)


def _ramp(values: Tensor, start: float, stop: float) -> Tensor:
    """Smoothstep: from 0 at ``start`` to 1 at ``stop``."""
    position = ((values - start) / (stop - start)).clamp(0, 1)
    return position.square() * (3 - 2 * position)


def bald_reflectance(model: FaceModel, actor: Actor) -> Tensor:
    """Return the person's reflectance, (3, S, S), as skin all over: cheeks and chin, continued smoothly."""
    size = actor.reflectance.shape[-1]
    bare = fill_polygon(model.at_landmarks(model.uv)[list(BARE_SKIN)] * size, size)
    texels = actor.reflectance.permute(1, 2, 0)
    skin = bare & may_be_skin(texels, learn_skin_colour(texels[bare]))
    return fill_holes(actor.reflectance, shrink(skin[None], 1)[0].float())


def fill_polygon(outline: Tensor, size: int) -> Tensor:
    """Draw a polygon (P, 2), in pixels, as a mask, bool (size, size)."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [outline.round().int().numpy()], (1,))
    return torch.from_numpy(mask).bool()
