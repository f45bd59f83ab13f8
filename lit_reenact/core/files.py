"""Files that are written whole or not at all, never over an input; and their digests."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lit_reenact.core.errors import ReenactError


@contextmanager
def atomic_output(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; rename it to ``path`` when the block ends, delete it when the block fails.

    A reader never sees half a file, and a failure leaves an earlier file at ``path`` as it was.

    Args:
        path: final name of the file; missing parent folders are created.

    Raises:
        OSError: the folder cannot be created or the file cannot be renamed.

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


def refuse_overwriting(outputs: Iterable[Path], inputs: Iterable[Path | None], option: str = "-o") -> None:
    """Refuse to write anything that is an input, however its path is spelt; symbolic and hard links count as their files.

    Args:
        outputs: every file that the command would write, and every folder whose whole content belongs to the command. Temporary
            names ``.NAME.part`` need not be listed.
        inputs: everything that the command reads; a folder stands for the files directly in it, None for nothing.
        option: name of the option that decides where the outputs go, for the message.

    Raises:
        ReenactError: an output is an input, or a folder that holds one.
    """
    read: dict[object, Path] = {}
    for path in inputs:
        for file in () if path is None else _files(path):
            for identity in (*_identities(file), *map(str, Path(os.path.realpath(file)).parents)):
                read.setdefault(identity, file)
    for output in outputs:
        for identity in (*_identities(output), *_identities(output.parent / f".{output.name}.part")):
            if identity in read:
                raise ReenactError(f"writing {output} would destroy {read[identity]}, which is an input: give another {option}")


def _files(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir():
        yield from (file for file in path.iterdir() if file.is_file())


def _identities(path: Path) -> Iterator[object]:
    """Yield everything that two names of one file can have in common.

    The resolved path alone is not enough: hard links resolve to two paths, and so do two spellings where case does not matter.
    """
    yield os.path.realpath(path)
    try:
        status = path.stat()
    except OSError:
        return
    yield status.st_dev, status.st_ino
