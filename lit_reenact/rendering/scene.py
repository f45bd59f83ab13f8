"""The input of painting: the surface of a person, and some frames of it in front of a camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from lit_reenact.core.schema import Camera

SAMPLES = 2
"""Samples along each side of a pixel, which shows their mean. A gap between lips or lids is seldom wider than a pixel or two;
with one sample a closed mouth and one ajar would look the same."""

FIRST_SAMPLE = 0.5
"""Extra weight of a pixel's first sample in the vote for the pixel's label: it decides a tie."""


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface of one person, the same in all frames.

    Attributes:
        faces: int64 (F, 3), corners of the triangles.
        region: uint8 (F,), regions of ``topology``: skin, or the fill of an opening.
        label: uint8 (F,), ``EMPTY``, ``FACE``, ``EYES`` or ``MOUTH``: value in a region image.
        reflectance: (3, H, W), texture in [0, 1].
        inner_faces: int64 (G, 3), corners of the triangles behind the lips.
        inner_albedo: (G, 3), reflectance of the triangles behind the lips, in [0, 1].
        eye_radius: radius of an eyeball, mm.
        iris_radius: radius of an iris, mm.
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
        camera: camera whose pixels are the samples: ``SAMPLES`` times as many in each direction as the image has pixels.
        points: (T, V, 3), x and y in samples, depth in mm.
        attributes: (T, V, 8), light RGB, correspondence colour, texture coordinates u to the right and v down in [0, 1].
        openness: (T, 3), ``topology.OPENINGS`` from 0 (shut) to 1 (open).
        eyeballs: (T, 2, 3), centres of the left and the right eyeball, mm, camera axes.
        gaze: (T, 2, 3), unit vectors of the lines of sight, camera axes.
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
        """Return a scene of some of the frames."""
        parts = {name: getattr(self, name)[frames] for name in ("points", "attributes", "openness", "eyeballs", "gaze")}
        return replace(self, **parts)
