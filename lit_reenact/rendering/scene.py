"""What is to be painted: the surface of a person, and where it is in some frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from lit_reenact.core.schema import Camera

SAMPLES = 2
"""Samples along each side of a pixel, which shows their mean: a gap between lips or lids is seldom wider than a pixel or two,
and without this a closed mouth and one ajar look the same.
"""

FIRST_SAMPLE = 0.5
"""What the first sample of a pixel counts more than the others where they vote on what the pixel shows: it decides a tie."""


@dataclass(frozen=True, eq=False)
class Surface:
    """What all frames of a person have in common.

    Attributes:
        faces: int64 (F, 3) corners of the triangles.
        region: uint8 (F,) of ``topology``: which of them are skin, and which fill an opening.
        label: uint8 (F,) ``EMPTY``, ``FACE``, ``EYES`` or ``MOUTH``: what a region image shows of them.
        reflectance: (3, H, W) in [0, 1].
        inner_faces: int64 (G, 3) triangles behind the lips.
        inner_albedo: (G, 3) their reflectance.
        eye_radius: of an eyeball, mm.
        iris_radius: of an iris, mm.
    """

    faces: Tensor
    region: Tensor
    label: Tensor
    reflectance: Tensor
    inner_faces: Tensor
    inner_albedo: Tensor
    eye_radius: float
    iris_radius: float


@dataclass(frozen=True)
class Scene:
    """T frames of a surface of V vertices.

    Attributes:
        camera: its pixels are the samples, ``SAMPLES`` times as many in each direction as the image has pixels.
        points: (T, V, 3) x and y in samples, depth in mm.
        attributes: (T, V, 8) light, correspondence colour, and texture coordinates u to the right and v down in [0, 1].
        openness: (T, 3) of the ``topology.OPENINGS``, from 0, shut, to 1, nothing hidden.
        eyeballs: (T, 2, 3) centres of the left and the right one, camera axes, mm.
        gaze: (T, 2, 3) unit vectors, camera axes.
    """

    camera: Camera
    points: Tensor
    attributes: Tensor
    openness: Tensor
    eyeballs: Tensor
    gaze: Tensor

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, frames: slice) -> Scene:
        """Some of the frames."""
        parts = {name: getattr(self, name)[frames] for name in ("points", "attributes", "openness", "eyeballs", "gaze")}
        return replace(self, **parts)
