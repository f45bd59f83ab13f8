"""A small head as other face models publish theirs: the built-in face, moved, open at eyes and mouth, with loose eyeballs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lit_reenact.core.facemesh import FACE_POINTS
from lit_reenact.face import builtin_model
from lit_reenact.face.topology import SKIN

Array = NDArray[np.float64]
Triangles = NDArray[np.int64]

ORIGIN = np.array([3.0, -40.0, 25.0])
"""Origin of the small head in head axes, mm."""


def head() -> tuple[Array, Triangles]:
    """Return vertices (476, 3) mm and triangles: 468 of the face, then two loose tetrahedra for eyeballs."""
    model = builtin_model()
    tetrahedron = np.array([[0, 0, 12], [10, 0, -6], [-10, 0, -6], [0, 10, -6]])
    centres = model.eyeballs.double().numpy()
    face = model.landmarks(model.vertices).double().numpy()
    vertices = np.concatenate([face, *(centre + tetrahedron for centre in centres)]) - ORIGIN
    sides = np.array([[0, 1, 3], [0, 3, 2], [0, 2, 1], [1, 2, 3]])
    skin = model.faces[model.region == SKIN].numpy()
    return vertices, np.concatenate([skin, sides + FACE_POINTS, sides + FACE_POINTS + 4])


def smooth_fields(count: int, vertices: Array, seed: int = 0) -> Array:
    """Return random smooth displacements (count, V, 3), about a millimetre."""
    random = np.random.default_rng(seed)
    frequency, phase = random.normal(size=(count, 3, 3)) / 60, random.uniform(0, 6, size=(count, 1, 3))
    fields: Array = np.sin(vertices @ frequency + phase)
    return fields


def builtin_field(name: str, vertices: Array) -> Array:
    """Return an expression of the built-in model over the small head; its eyeballs stay."""
    model = builtin_model()
    field = np.zeros_like(vertices)
    field[:FACE_POINTS] = model.expression_basis[model.expression_names.index(name), :FACE_POINTS].numpy()
    return field
