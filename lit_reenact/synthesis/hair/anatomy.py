"""Masks of the parts of a head in a picture, and its drawing without hair, from the face model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lit_reenact.core.facemesh import CHIN, FOREHEAD, RIGHT_BROW_TOP, mirror_points
from lit_reenact.core.geometry import head_to_camera, project
from lit_reenact.core.schema import CONDITIONING_CHANNELS, FACE, Actor, Camera, FaceParameters
from lit_reenact.face import FaceModel
from lit_reenact.rendering.conditioning import ConditioningRenderer
from lit_reenact.synthesis.hair.bald_head import bald_reflectance, bare_skull, fill_polygon

_RIGHT_FEATURES = (32, 211, 212, 216, 207, 50, 117, 111, 35, 46)  # from the chin up past mouth and eye
_RIGHT_BROW = tuple(zip(RIGHT_BROW_TOP, (71, 68, 104, 69, 108), strict=True))  # its upper edge, and the forehead above

_AROUND = tuple((point, point) for point in (*_RIGHT_FEATURES[::-1], 175, *mirror_points(_RIGHT_FEATURES)))
_LEFT_BROW = tuple(mirror_points(pair) for pair in _RIGHT_BROW)
FEATURES = (*_AROUND, *_LEFT_BROW, *_RIGHT_BROW[::-1])
"""FaceMesh points around brows, eyes, nose and mouth, in pairs: the border runs between the points of a pair."""

BROW_SHARE = 0.4
"""Position of that border between a brow (0) and the forehead above it (1)."""

SKULLS = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Sizes of the skull to try, as fractions of the model's."""

MAX_OUTSIDE = 0.05
"""Largest fraction of a skull above the forehead that may lie outside the hair; the drawing is cut off there."""

NECK_SIDES = (150, 379)
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
        if (above & ~person).sum() <= MAX_OUTSIDE * above.sum():
            break
    return renderer


def _half_planes(points: Tensor, size: int) -> dict[str, Tensor]:
    """Divide N images along the axes of the heads in them, from landmarks (N, 468, 2): masks bool (N, size, size) by name."""
    centres = torch.arange(size) + 0.5
    pixels = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1)  # (size, size, 2)
    up = torch.nn.functional.normalize(points[:, FOREHEAD] - points[:, CHIN], dim=-1)
    across = torch.stack([-up[:, 1], up[:, 0]], -1)
    height, side = (torch.einsum("yxc,nc->nyx", pixels, axis) for axis in (up, across))
    chin, forehead = ((points[:, point] * up).sum(-1)[:, None, None] for point in (CHIN, FOREHEAD))
    ends = torch.stack([(points[:, end] * across).sum(-1) for end in NECK_SIDES], -1)[..., None, None]  # (N, 2, 1, 1)
    return {
        "on_top": height > forehead,
        "above_chin": height > chin,
        "middle": (side > ends.amin(1)) & (side < ends.amax(1)),
    }
