"""Arguments of the compiled painting: a person, a frame, and the patches of a row of pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lit_reenact.rendering.compiled.jit import Bytes, Floats, Indices, Numbers

PATCH = np.dtype(
    [(name, np.uint32) for name in ("face", "pixel", "p", "q", "r", "west", "north")]
    + [(name, np.float32) for name in ("x", "y", "light_level", "colour_level", "a", "b", "c", "east_share", "south_share")]
)
"""Samples of one pixel that show the same triangle (``supersampling.Patches``).

* ``face``: the triangle; ``p``, ``q``, ``r``: its corners; ``a``, ``b``, ``c``: their weights at the patch;
* ``pixel``: column of the pixel, counted from the first one that is painted;
* ``x``, ``y``: centroid in samples;
* ``west``, ``north``: texel to the north-west of the patch; ``east_share``, ``south_share``: distance from it in texels;
* ``light_level``, ``colour_level``: weight in [0, 255] of its lit reflectance and of its correspondence colour.
"""

Patches = npt.NDArray[np.void]
Patch = Any


class Person(NamedTuple):
    """Arrays of ``scene.Surface``: what all frames of a person have in common.

    Attributes:
        faces: uint32 (F, 3), corners of the triangles.
        region: uint8 (F,), regions of ``topology``.
        label: uint8 (F,), ``EMPTY``, ``FACE``, ``EYES`` or ``MOUTH``.
        texture: float32 (h + 1, w + 1, 3), reflectance in [0, 1]; the last row and column are there twice.
        inner_faces: uint32 (G, 3), corners of the triangles behind the lips.
        inner_albedo: float32 (G, 3), reflectance of the triangles behind the lips, in [0, 1].
        eye_radius: float32, radius of an eyeball in mm.
        iris_radius: float32, radius of an iris in mm.
    """

    faces: Indices
    region: Bytes
    label: Bytes
    texture: Floats
    inner_faces: Indices
    inner_albedo: Floats
    eye_radius: np.float32
    iris_radius: np.float32


class Frame(NamedTuple):
    """One frame of ``scene.Scene``, rasterized in samples.

    Attributes:
        points: float32 (V, 3), x and y in samples, depth in mm.
        attributes: float32 (V, 8), light RGB, correspondence colour, texture coordinates u and v.
        openness: float32 (3,), left eye, right eye and mouth, from 0 (shut) to 1 (open).
        eyes: float32 (2, 6), centre of each eyeball (mm, camera axes) and unit vector of its gaze.
        focal: float32, focal length in samples.
        drawn: int32 (SAMPLES * H, SAMPLES * W), triangle of each sample, -1 where there is none.
        inside: int32 (SAMPLES * H, SAMPLES * W), triangle behind the lips, -1 where there is none; read within the mouth only.
    """

    points: Floats
    attributes: Floats
    openness: Floats
    eyes: Floats
    focal: np.float32
    drawn: Numbers
    inside: Numbers
