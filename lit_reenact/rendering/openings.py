"""How far eyes and mouth are open, and the inside of the mouth that is seen through the lips."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.schema import Actor
from lit_reenact.face.eyelids import gaps, lid_gaps
from lit_reenact.face.model import FaceModel
from lit_reenact.rendering.rasterizer import interpolate_at, rasterize
from lit_reenact.rendering.scene import Surface

EYE_SHUT, EYE_RAMP = 0.2, 0.15
"""Shares of the gap between a person's lids at rest: up to the first an eye counts as shut, above both together as open."""

LIPS_SHUT, LIPS_RAMP = 0.8, 0.7
"""The same of the lips, mm: those of tracked closed mouths lie apart by as much."""


class Openness:
    """Tells how far the eyes and the mouth of a person are open to the view.

    Lids and lips that touch in truth leave a slit in a mesh, for the shapes that close them are not this very person's. So an
    eye also counts as shut as soon as it is as narrow as a full blink makes it.

    Args:
        model: face model.
        actor: the person.
    """

    def __init__(self, model: FaceModel, actor: Actor) -> None:
        rest, blinking = lid_gaps(model, model.landmarks(actor.neutral))
        lips = rest.new_tensor([LIPS_SHUT, LIPS_RAMP])
        shut = torch.maximum(EYE_SHUT * rest, blinking)
        self._model = model
        self._shut = torch.cat([shut, lips[:1]])  # (3,) mm
        self._ramp = torch.cat([EYE_RAMP * rest, lips[1:]])

    def __call__(self, mesh: Tensor) -> Tensor:
        """Of meshes (T, V, 3), in the order of ``topology.OPENINGS``: (T, 3) from 0, shut, to 1, nothing hidden."""
        return ((gaps(self._model.landmarks(mesh)) - self._shut) / self._ramp).clamp(0, 1)


def inside_mouth(
    pixels: Tensor, shape: tuple[int, int, int], points: Tensor, attributes: Tensor, surface: Surface
) -> tuple[Tensor, Tensor]:
    """What some pixels show of the inside of the mouth.

    Args:
        pixels: int64 (P,) flat indices among those of T images; at least one.
        shape: of the images, (T, H, W).
        points: (T, V, 3) the mesh in pixels and depth.
        attributes: (T, V, 3 + C) light, then what else is to be looked up.
        surface: brings the triangles behind the lips.

    Returns:
        Which of the pixels show any of it, int64 (Q,), and reflectance times light beside the other attributes: (Q, 3 + C).
    """
    frame, place = pixels // (shape[1] * shape[2]), pixels % (shape[1] * shape[2])
    row, column = place // shape[2], place % shape[2]
    top, left = int(row.amin()), int(column.amin())
    height, width = int(row.amax()) + 1 - top, int(column.amax()) + 1 - left
    fragments = rasterize(points - points.new_tensor([left, top, 0]), surface.inner_faces, height, width)
    cut = (frame * height + row - top) * width + column - left  # where the pixels lie in the pictures of the mouth alone
    triangle = fragments.triangle.flatten()[cut]
    shown = (triangle >= 0).nonzero().squeeze(-1)
    values = interpolate_at(cut[shown], fragments, attributes, surface.inner_faces)
    return shown, torch.cat([surface.inner_albedo[triangle[shown]] * values[:, :3], values[:, 3:]], 1)
