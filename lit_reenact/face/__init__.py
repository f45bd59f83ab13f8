"""Face models: meshes that identity and expression coefficients deform, built in or read from files."""

from __future__ import annotations

from lit_reenact.face.builtin import builtin_model
from lit_reenact.face.model import FaceModel, vertex_normals
from lit_reenact.face.reading import load_face_model

__all__ = ["FaceModel", "builtin_model", "load_face_model", "vertex_normals"]
