"""Images in a file that is written once, whole or not at all, and read through the system's page cache by all processes alike."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError

Images = npt.NDArray[np.uint8]

ABANDONED = 3600
"""Seconds without a change after which an unfinished file is taken for that of a process which was killed."""

_CHECKSUM = 4  # bytes after the array
_READ = 2**24  # bytes


class CacheFile:
    """``PREFIX-DIGEST.npy``: an array of uint8 whose first axis counts frames, and after it the checksum of its bytes.

    Several processes, on several machines too, may build it at once: each writes a file of its own and renames it. The map is
    opened in the process that reads, so the object may be handed to loader workers.

    Args:
        folder: where it lies.
        prefix: what it holds; when one is written, others with this prefix are removed as stale.
        digest: of everything that its content depends on.
        shape: of the array.
    """

    def __init__(self, folder: Path, prefix: str, digest: str, shape: tuple[int, ...]) -> None:
        self.path = folder / f"{prefix}-{digest}.npy"
        self.prefix = prefix
        self.shape = shape
        self._map: npt.NDArray[np.uint8] | None = None

    def is_intact(self) -> bool:
        """Whether the file is there, of the right length, and as it was written."""
        try:
            with self.path.open("rb") as file:
                header = _header(self.shape)
                if (
                    os.fstat(file.fileno()).st_size != len(header) + _size(self.shape) + _CHECKSUM
                    or file.read(len(header)) != header
                ):
                    return False
                checksum, left = 0, _size(self.shape)
                while left:
                    part = file.read(min(left, _READ))
                    checksum, left = zlib.crc32(part, checksum), left - len(part)
                return file.read() == checksum.to_bytes(_CHECKSUM, "little")
        except OSError:
            return False

    def write(self, parts: Iterable[Images]) -> None:
        """Write the array, which comes in parts along its first axis.

        Raises:
            ReenactError: the folder cannot be written to, or the disk is full.
        """
        partial = self.path.with_suffix(f".{uuid4().hex}.part")
        try:
            with partial.open("wb") as file:
                file.write(_header(self.shape))
                checksum = 0
                for part in parts:
                    data = np.ascontiguousarray(part).data
                    checksum = zlib.crc32(data, checksum)
                    file.write(data)
                file.write(checksum.to_bytes(_CHECKSUM, "little"))
            os.replace(partial, self.path)
        except OSError as error:
            raise ReenactError(
                f"{self.path} cannot be written ({error.strerror or error}): it needs {_size(self.shape) / 2**30:.2f} GiB beside "
                "the track; make room there, or move the track"
            ) from error
        finally:
            partial.unlink(missing_ok=True)
        self._remove_stale()

    def read(self, frames: Tensor) -> Tensor:
        """A copy of some frames, by their numbers (N,): uint8 (N, ...)."""
        if self._map is None:
            self._map = np.load(self.path, mmap_mode="r")
        return torch.from_numpy(self._map[frames.numpy()])

    def _remove_stale(self) -> None:
        for other in self.path.parent.glob(f"{self.prefix}-*.npy"):
            if other != self.path:
                other.unlink(missing_ok=True)
        for other in self.path.parent.glob(f"{self.prefix}-*.part"):
            if other.exists() and time.time() - other.stat().st_mtime > ABANDONED:
                other.unlink(missing_ok=True)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_map": None}


def _header(shape: tuple[int, ...]) -> bytes:
    file = BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})  # type: ignore[no-untyped-call]
    return file.getvalue()


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))
