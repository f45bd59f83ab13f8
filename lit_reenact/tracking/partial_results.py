"""Partial results of a tracking run, kept beside the track until it is finished, so that a killed run can continue."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import atomic_output

Array = npt.NDArray[Any]
Facts = Mapping[str, str | int]

FOLDER_NAME = "unfinished"


class Unfinished:
    """Groups of arrays in ``folder/unfinished``, one file each, valid only for the facts that they depend on.

    Args:
        folder: folder of the track.
        facts: everything that all arrays depend on: source, settings, versions. A file with other facts counts as missing.
    """

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.folder = folder / FOLDER_NAME
        self._facts = dict(facts)

    def store(self, name: str, arrays: Mapping[str, Array], **facts: str | int) -> None:
        """Write a group of arrays.

        Args:
            name: name of the file, without its suffix.
            arrays: arrays of the group.
            facts: facts that these arrays depend on beside the common ones.
        """
        whole = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
        block = {"facts": self._facts | facts, "digest": _digest(whole)}
        with atomic_output(self._path(name)) as partial:
            partial.write_bytes(save(whole, metadata={"unfinished": json.dumps(block)}))

    def load(self, name: str, **facts: str | int) -> dict[str, Array] | None:
        """Read a group of arrays; return None if the file is missing, damaged, or depends on other facts."""
        try:
            with safe_open(self._path(name), framework="np") as file:
                block = json.loads((file.metadata() or {})["unfinished"])
                arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
        return arrays if block == {"facts": self._facts | facts, "digest": _digest(arrays)} else None

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"


def forget(folder: Path) -> None:
    """Remove the partial results in the folder of a track, and the folder itself if it holds nothing else."""
    shutil.rmtree(folder / FOLDER_NAME, ignore_errors=True)
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def forget_if_refused(folder: Path) -> Iterator[None]:
    """Forget the partial results if the block refuses the video; a kill, Ctrl-C or a fault of the program leaves them."""
    try:
        yield
    except ReenactError:
        forget(folder)
        raise


def _digest(arrays: Mapping[str, Array]) -> str:
    total = hashlib.sha256()
    for key in sorted(arrays):
        total.update(f"{key} {arrays[key].dtype} {arrays[key].shape}\n".encode())
        total.update(arrays[key].tobytes())
    return total.hexdigest()
