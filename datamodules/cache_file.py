"""Cache of images in a file that is written once and that all processes read through the system's page cache."""

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
"""Seconds without a change after which an unfinished file counts as left behind by a killed process."""

_CHECKSUM = 4  # bytes after the array
_READ = 2**24  # bytes


class CacheFile:
    """File ``PREFIX-DIGEST.npy``: a uint8 array whose first axis counts frames, followed by the checksum of its bytes.

    Several processes, also on several machines, may build it at once: each writes a temporary file of its own and renames it.
    Every process opens its own memory map, so the object can be sent to loader workers.

    Args:
        folder: folder of the file.
        prefix: kind of content; writing a file removes others with this prefix as stale.
        digest: hash of everything that the content depends on.
        shape: shape (T, ...) of the array.

    Example:
        >>> file = CacheFile(folder, "frames-256", digest, (len(frames), 256, 256, 3))
        >>> if not file.is_intact():
        ...     file.write([frames.numpy()])
        >>> first = file.read(torch.arange(10))
    """

    def __init__(self, folder: Path, prefix: str, digest: str, shape: tuple[int, ...]) -> None:
        self.path = folder / f"{prefix}-{digest}.npy"
        self.prefix = prefix
        self.shape = shape
        self._map: npt.NDArray[np.uint8] | None = None

    def is_intact(self) -> bool:
        """Return whether the file exists and has the right header, length and checksum."""
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
        """Write the array from parts along its first axis, uint8 (N, ...) each.

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
                "the track; free some disk space there, or move the track"
            ) from error
        finally:
            partial.unlink(missing_ok=True)
        self._remove_stale()

    def read(self, frames: Tensor) -> Tensor:
        """Return a copy of the frames with numbers int64 (N,): uint8 (N, ...)."""
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
