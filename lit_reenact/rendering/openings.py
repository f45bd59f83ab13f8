"""Openness of eyes and mouth, and the inside of the mouth behind the lips."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.core.schema import Actor
from lit_reenact.face.eyelids import gaps, lid_gaps
from lit_reenact.face.model import FaceModel
from lit_reenact.rendering.rasterizer import interpolate_at, rasterize
from lit_reenact.rendering.scene import Surface

EYE_SHUT, EYE_RAMP = 0.2, 0.15
"""Shares of the gap between a person's lids at rest: an eye counts as shut up to the first, and as open above their sum."""

LIPS_SHUT, LIPS_RAMP = 0.8, 0.7
"""Gaps between the lips in mm: a mouth counts as shut up to the first, and as open above their sum. The lips of tracked closed
mouths lie apart by as much as the first."""


class Openness:
    """Openness of the eyes and the mouth of one person.

    Lids and lips that touch in truth leave a slit in a mesh, because the shapes that close them are not made for this person. So
    an eye also counts as shut when it is as narrow as a full blink makes it.

    Args:
        model: face model.
        actor: the person.

    Example:
        >>> openness = Openness(model, actor)
        >>> openness(mesh)  # (T, 3)
    """

    def __init__(self, model: FaceModel, actor: Actor) -> None:
        rest, blinking = lid_gaps(model, model.landmarks(actor.neutral))
        lips = rest.new_tensor([LIPS_SHUT, LIPS_RAMP])
        self._model = model
        self._shut_below = torch.cat([torch.maximum(EYE_SHUT * rest, blinking), lips[:1]])  # (3,) mm
        self._ramp = torch.cat([EYE_RAMP * rest, lips[1:]])  # (3,) mm

    def __call__(self, mesh: Tensor) -> Tensor:
        """Return the openness of meshes (T, V, 3): (T, 3) from 0 (shut) to 1 (open), in the order of ``topology.OPENINGS``."""
        return ((gaps(self._model.landmarks(mesh)) - self._shut_below) / self._ramp).clamp(0, 1)


def look_into_mouth(
    pixels: Tensor, shape: tuple[int, int, int], points: Tensor, attributes: Tensor, surface: Surface
) -> tuple[Tensor, Tensor]:
    """Find the pixels that show the inside of the mouth, and its colours there.

    Args:
        pixels: int64 (P,), flat indices of pixels between the lips among all T * H * W; at least one.
        shape: T, H and W of the images.
        points: (T, V, 3), x and y in pixels, depth in mm.
        attributes: (T, V, 3 + C), light RGB, then other attributes.
        surface: triangles behind the lips and their reflectance.

    Returns:
        Places in ``pixels`` of the Q pixels that show the inside, int64 (Q,); their reflectance times light, then the other
        attributes, (Q, 3 + C).
    """
    frame, place = pixels // (shape[1] * shape[2]), pixels % (shape[1] * shape[2])
    row, column = place // shape[2], place % shape[2]
    top, left = int(row.amin()), int(column.amin())
    height, width = int(row.amax()) + 1 - top, int(column.amax()) + 1 - left
    fragments = rasterize(points - points.new_tensor([left, top, 0]), surface.inner_faces, height, width)
    cropped = (frame * height + row - top) * width + column - left  # flat indices in the crops of the mouth
    triangle = fragments.triangle.flatten()[cropped]
    inside = (triangle >= 0).nonzero().squeeze(-1)
    values = interpolate_at(cropped[inside], fragments, attributes, surface.inner_faces)
    return inside, torch.cat([surface.inner_albedo[triangle[inside]] * values[:, :3], values[:, 3:]], 1)
