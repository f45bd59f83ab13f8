"""Identities of the built-in model: smooth modes of its mesh, the low ones wide and strong, the high ones fine and weak."""

from __future__ import annotations

import torch
from torch import Tensor

from lit_reenact.face.laplacian import graph_laplacian

MODES = 26
"""Number of modes along each axis."""

FIRST_SCALE = 1.5
"""Standard deviation (mm, root mean square over the face) of the widest mode along each axis."""

DECAY = 0.75
"""Exponent with which the standard deviation falls with the eigenvalue, as over the identities of ICT-FaceKit."""


def identity_harmonics(faces: Tensor, vertex_count: int) -> tuple[Tensor, Tensor]:
    """Return the 26 smoothest modes of the closed face (eyes and mouth filled) along x, y and z.

    Each mode has a root mean square of 1, so that a coefficient is in mm.

    Args:
        faces: int64 (F, 3) triangles without holes.
        vertex_count: number V of vertices.

    Returns:
        basis float64 (78, V, 3), modes in ascending order, each along x, y and z in turn.
        scale float64 (78,) prior standard deviations.
    """
    values, vectors = torch.linalg.eigh(graph_laplacian(faces, vertex_count))
    values, modes = values[1 : MODES + 1], vectors[:, 1 : MODES + 1].T * vertex_count**0.5  # the first is constant: a translation
    strongest = modes.gather(1, modes.abs().argmax(1, keepdim=True))
    modes = modes * strongest.sign()  # the sign of an eigenvector is arbitrary: make it the same everywhere
    basis = torch.einsum("kv,cd->kcvd", modes, torch.eye(3, dtype=modes.dtype)).flatten(0, 1)  # (78, V, 3)
    scale = FIRST_SCALE * (values[0] / values) ** DECAY
    return basis, scale.repeat_interleave(3)
