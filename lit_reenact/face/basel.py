"""Reader of the Basel Face Models 2017 and 2019 (Gerig et al., "Morphable Face Models - An Open Framework", FG 2018)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.face.assembly import assemble
from lit_reenact.face.builtin import builtin_model
from lit_reenact.face.embedding import Embedding, embed_landmarks
from lit_reenact.face.model import FaceModel
from lit_reenact.face.parts import Parts

IDENTITIES, EXPRESSIONS = 80, 64
"""Numbers of components in use: those of the paper (Kim et al. 2018)."""

DEVIATIONS = 3.0
"""Size of a full expression component, standard deviations."""

JAW_RIDGE = 1e-3
"""Weight of the squared coefficients of ``jawOpen``, over the mean curvature."""

FIELDS = (
    "shape/model/mean", "shape/model/pcaBasis", "shape/model/pcaVariance", "shape/representer/cells",
    "expression/model/mean", "expression/model/pcaBasis", "expression/model/pcaVariance",
)  # fmt: skip
"""Arrays that are read from a file."""


def read_basel(path: Path) -> FaceModel:
    """Read an .h5 file. The files of the face alone ("face12") are the fastest to draw.

    Raises:
        ReenactError: h5py is not installed, or the file is not of that model.
    """
    try:
        import h5py
    except ImportError as error:
        raise ReenactError(f"{path} is an HDF5 file, and h5py is not installed: pip install 'lit_reenact[basel]'") from error
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in FIELDS if name not in file]
            arrays = {name: np.asarray(file[name]) for name in FIELDS if name in file}
    except OSError as error:
        raise ReenactError(f"{path} cannot be read as HDF5 ({error})") from error
    if missing:
        raise ReenactError(f"{path} is not a Basel Face Model of 2017 or 2019: it lacks {', '.join(missing)}")
    return assemble_basel(arrays)


def assemble_basel(arrays: dict[str, NDArray[Any]]) -> FaceModel:
    """Build the model from arrays of ``FIELDS``: means (3 V,), bases of unit columns (3 V, K), variances (K,), cells (3, F)."""
    mean = torch.from_numpy(arrays["shape/model/mean"] + arrays["expression/model/mean"]).float().view(-1, 3)
    faces = torch.from_numpy(arrays["shape/representer/cells"].astype(np.int64)).T.contiguous()
    identity, components = (
        _components(arrays, part, count) for part, count in (("shape", IDENTITIES), ("expression", EXPRESSIONS))
    )
    embedding = embed_landmarks(mean, faces)
    expressions = {f"component{k:02d}": DEVIATIONS * component for k, component in enumerate(components)}
    parts = Parts(
        name="basel",
        vertices=mean,
        faces=faces,
        region=torch.zeros(len(faces), dtype=torch.uint8),
        identity_basis=identity,
        identity_scale=torch.ones(len(identity)),
        expressions=expressions | {"jawOpen": _jaw_open(components, embedding)},
        embedding=embedding,
    )
    return assemble(parts, signed=tuple(expressions))


def _components(arrays: dict[str, NDArray[Any]], part: str, count: int) -> Tensor:
    """Return the first components of "shape" or "expression": (K, V, 3), mm for a standard deviation."""
    basis = arrays[f"{part}/model/pcaBasis"][:, :count] * np.sqrt(arrays[f"{part}/model/pcaVariance"][:count])
    return torch.from_numpy(np.ascontiguousarray(basis.T)).float().view(basis.shape[1], -1, 3)


def _jaw_open(components: Tensor, embedding: Embedding) -> Tensor:
    """Combine the components, which have no names, into the field (V, 3) nearest at the landmarks to the built-in open jaw."""
    builtin = builtin_model()
    wanted = builtin.at_landmarks(builtin.expression_basis[builtin.expression_names.index("jawOpen")]).flatten()
    at_landmarks = embedding(components).flatten(1)  # (K, 3 * 468)
    curvature = at_landmarks @ at_landmarks.T
    ridge = JAW_RIDGE * curvature.diagonal().mean() * torch.eye(len(curvature))
    field: Tensor = torch.tensordot(torch.linalg.solve(curvature + ridge, at_landmarks @ wanted), components, dims=1)
    return field
