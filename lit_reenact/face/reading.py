"""Loading of face models by name or path."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from lit_reenact.core.errors import ReenactError
from lit_reenact.face.basel import read_basel
from lit_reenact.face.builtin import builtin_model
from lit_reenact.face.flame import read_flame
from lit_reenact.face.ict import read_ict
from lit_reenact.face.model import FaceModel

SOURCES = (
    "ICT-FaceKit (its folder of .obj files, or an .npz made from them): github.com/ICT-VGL/ICT-FaceKit, MIT licence; "
    "FLAME 2020 or 2023 (.pkl or .npz): flame.is.tue.mpg.de, after registration, 2023 Open under CC-BY-4.0, the others for "
    "non-commercial use; "
    "Basel Face Model 2017 or 2019 (.h5): faces.dmi.unibas.ch, after registration, for non-commercial use"
)
"""Sources and licences of the models that can be read, for messages."""


def model_file(name_or_path: str) -> Path | None:
    """Return the absolute path of a face model's file or folder; None for the built-in one."""
    return None if name_or_path == "builtin" else Path(name_or_path).expanduser().absolute()


def load_face_model(name_or_path: str) -> FaceModel:
    """Load the face model "builtin", or the one in a file or folder; every call returns the same object.

    The name of a model from a file is its absolute path, by which a track finds it again.

    Raises:
        ReenactError: there is no such model, or the file is broken.

    Example:
        >>> load_face_model("builtin").landmarks(load_face_model("builtin").vertices).shape
        torch.Size([468, 3])
        >>> flame = load_face_model("models/flame2023.pkl")
    """
    path = model_file(name_or_path)
    if path is None:
        return builtin_model()
    if not path.exists():
        raise ReenactError(
            f"there is no face model {name_or_path!r}: it is neither 'builtin' nor the path of a file or folder. Models that can "
            f"be read, and where to get them: {SOURCES}"
        )
    return _read(path)


@cache
def _read(path: Path) -> FaceModel:
    """Read a model by the kind of its path: a folder or .npz of ICT-FaceKit, an .npz or .pkl of FLAME, an .h5 of Basel."""
    if path.is_dir():
        model = read_ict(path)
    elif path.suffix == ".npz":
        model = read_flame(path) if "v_template" in _names(path) else read_ict(path)
    elif path.suffix == ".pkl":
        model = read_flame(path)
    elif path.suffix in {".h5", ".hdf5"}:
        model = read_basel(path)
    else:
        raise ReenactError(
            f"{path} is not a face model: a folder, .npz, .pkl or .h5 is expected. Models that can be read: {SOURCES}"
        )
    return replace(model, name=str(path))


def _names(path: Path) -> list[str]:
    """Return the names of the arrays in an .npz."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return list(arrays.files)
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise ReenactError(f"{path} is not an .npz file of arrays ({error})") from error
