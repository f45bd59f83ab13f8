"""What is known so far of a video, kept beside its track until that is finished, so that a run that is killed is not in vain."""

from __future__ import annotations

import hashlib
import json
import os
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

Array = npt.NDArray[Any]
Facts = Mapping[str, str | int]

FOLDER_NAME = "unfinished"


class Unfinished:
    """Groups of arrays in ``folder/unfinished``, a file each, that count only for what they were made from.

    Args:
        folder: of the track.
        facts: all that the arrays depend on: which source, which settings. A file with other facts is as good as missing.
    """

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.folder = folder / FOLDER_NAME
        self._facts = dict(facts)

    def keep(self, name: str, arrays: Mapping[str, Array], **facts: str | int) -> None:
        """Write a file under a temporary name, then rename it.

        Args:
            name: of the file, without its suffix.
            arrays: what it holds.
            facts: what these arrays depend on beside the common facts.
        """
        path = self._path(name)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        whole = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
        block = {"facts": self._facts | facts, "digest": _digest(whole)}
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(save(whole, metadata={"unfinished": json.dumps(block)}))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def kept(self, name: str, **facts: str | int) -> dict[str, Array] | None:
        """The arrays of a file; None if it is missing, damaged, or made from something else."""
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
    """Remove what is kept in the folder of a track, and the folder itself if it holds nothing else."""
    shutil.rmtree(folder / FOLDER_NAME, ignore_errors=True)
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def forgotten_if_refused(folder: Path) -> Iterator[None]:
    """A video that is refused leaves nothing behind; a kill, Ctrl-C or a fault of the program leaves what is kept."""
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
