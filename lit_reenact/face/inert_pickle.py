"""Reader of pickled arrays that runs none of the code that a pickle names."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from lit_reenact.core.errors import ReenactError

_ARRAYS = {
    (f"numpy.{core}.multiarray", "_reconstruct"): np.core.multiarray._reconstruct  # type: ignore[attr-defined]
    for core in ("core", "_core")
} | {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}

_SPARSE = {"csc_matrix": scipy.sparse.csc_matrix, "csr_matrix": scipy.sparse.csr_matrix}


class Record:
    """State of an object whose class was not loaded.

    Attributes:
        kind: name of the class, or "chumpy".
        state: attributes that the pickle sets.
    """

    kind = ""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def _bare(kind: type[Record], *_: Any) -> Record:
    """Replace ``copyreg._reconstructor``, which old pickles call for every object."""
    if not (isinstance(kind, type) and issubclass(kind, Record)):
        raise pickle.UnpicklingError(f"an object of {kind!r}")
    return kind()


def _latin1(text: str, encoding: str) -> bytes:
    """Replace ``_codecs.encode``, by which Python 3 writes bytes for Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in {encoding}")
    return text.encode("latin1")


class _Inert(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ARRAYS:
            return _ARRAYS[module, name]
        if module.startswith("scipy.sparse") and name in _SPARSE:
            return type(name, (Record,), {"kind": name})
        if module.split(".")[0] == "chumpy":
            return type(name, (Record,), {"kind": "chumpy"})
        if (module, name) in {("copy_reg", "_reconstructor"), ("copyreg", "_reconstructor")}:
            return _bare
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if (module, name) in {("__builtin__", "object"), ("builtins", "object")}:
            return object
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays of a pickled dictionary; sparse ones become dense.

    Only NumPy arrays, SciPy's csc and csr matrices, chumpy arrays (of which nothing but the numbers are read), strings, numbers
    and plain containers are accepted; values that are no arrays are left out. Whatever the file says, no class or function
    beside NumPy's array reconstruction is imported or called.

    Raises:
        ReenactError: the file is no such pickle; the message names the class or function that it asked for.
    """
    try:
        with path.open("rb") as file:
            content = _Inert(file, encoding="latin1").load()
    except OSError as error:
        raise ReenactError(f"{path} cannot be read ({error.strerror})") from error
    except Exception as error:  # a broken pickle may raise anything
        raise ReenactError(
            f"{path} is not a pickle of plain arrays ({error}), and is not opened, because a pickle can run any program: "
            "download the model again from its own site, or convert it to .npz"
        ) from error
    if not isinstance(content, dict):
        raise ReenactError(f"{path} holds a {type(content).__name__}, not the dictionary of a face model")
    arrays = {str(name): _array(value) for name, value in content.items()}
    return {name: array for name, array in arrays.items() if array is not None}


def _array(value: Any) -> NDArray[Any] | None:
    if isinstance(value, Record) and value.kind in _SPARSE:
        s = value.state
        matrix = _SPARSE[value.kind]((s["data"], s["indices"], s["indptr"]), shape=s.get("_shape", s.get("shape")))
        return np.asarray(matrix.toarray())
    if isinstance(value, Record):
        value = value.state.get("x")
    return value if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" else None
