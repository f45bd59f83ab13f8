"""Face models: meshes that identity and expression coefficients deform."""

from __future__ import annotations

from lit_reenact.errors import ReenactError
from lit_reenact.face.builtin import builtin_model
from lit_reenact.face.model import FaceModel, vertex_normals

__all__ = ["FaceModel", "builtin_model", "load_face_model", "vertex_normals"]


def load_face_model(name_or_path: str) -> FaceModel:
    """The face model of that name.

    Raises:
        ReenactError: there is no such model.
    """
    if name_or_path == "builtin":
        return builtin_model()
    raise ReenactError(f"there is no face model {name_or_path!r}: the only one that is known is 'builtin'")
