"""Where the files that come with the package lie, in a clone and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from lit_reenact.errors import ReenactError

_PACKAGE = Path(__file__).resolve().parent


def _shipped(folder: str) -> Path:
    """A wheel carries the folder inside the package; in a clone it stands beside it."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def config_path(name: str) -> Path:
    """The path of a shipped configuration.

    Args:
        name: file name in ``configs/`` with or without ``.yaml``, such as "demo".

    Raises:
        ReenactError: there is no such configuration; the message lists those there are.
    """
    folder = _shipped("configs")
    path = folder / f"{name.removesuffix('.yaml')}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml"))) or "none"
        raise ReenactError(f"there is no configuration {name!r}; shipped are: {known}")
    return path
