"""Paths of the shipped configurations, in a clone and in an installed wheel, and text files with one entry per line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lit_reenact.core.errors import ReenactError

_PACKAGE = Path(__file__).resolve().parents[1]


def config_path(name: str) -> Path:
    """Return the path of a shipped configuration.

    Args:
        name: file name in ``configs/`` with or without ``.yaml``, such as "demo".

    Raises:
        ReenactError: there is no such configuration; the message lists the shipped ones.
    """
    folder = _PACKAGE / "configs"
    path = folder / f"{name.removesuffix('.yaml')}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml"))) or "none"
        raise ReenactError(f"there is no configuration {name!r}; shipped are: {known}")
    return path


def find_shipped(path: str | Path) -> Path:
    """Return ``path``, or the shipped file of that name if there is no file at ``path``.

    Args:
        path: path that a user gave; ``configs/debug.yaml`` and ``sweeps/capacity.yaml`` name shipped files in any folder.

    Returns:
        The path itself if it exists or no file of that name is shipped; opening it then reports that it is missing.

    Example:
        >>> find_shipped("configs/debug.yaml").is_file()
        True
    """
    path = Path(path)
    shipped = _PACKAGE / path
    is_shipped = not path.is_absolute() and path.parts[:1] in (("configs",), ("sweeps",)) and ".." not in path.parts
    return shipped if is_shipped and not path.exists() and shipped.is_file() else path


def read_list(path: Path, what: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a user's text file with their numbers from 1, without empty lines and those that begin with #.

    Args:
        path: the text file.
        what: name of an entry, such as "a path", for the message.

    Raises:
        ReenactError: the file cannot be read, or is not UTF-8 text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ReenactError(f"{path} cannot be read ({error.strerror}): give a text file with {what} on each line") from error
    except UnicodeDecodeError as error:
        raise ReenactError(f"{path} is not a UTF-8 text file: give {what} on each line") from error
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()
