"""Files that are written whole or not at all, and their digests."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_output(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` when the block ends, delete it when the block fails.

    A reader never sees half a file, and a failure leaves an earlier file at ``path`` as it was.

    Args:
        path: final name of the file; missing parent folders are made.

    Raises:
        OSError: the folder cannot be made or the file cannot be renamed.

    Example:
        >>> with atomic_output(Path("table.csv")) as partial:
        ...     partial.write_text("name,value")
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file under a temporary name, then rename it."""
    with atomic_output(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON with an indent of two and a final newline, under a temporary name first."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
