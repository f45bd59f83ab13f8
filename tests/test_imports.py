"""Import floors: a file imports only from floors below its own, and from its own room."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "lit_reenact"

FLOOR = {
    "lit_reenact": 0,
    "_torchvision": 0,
    "core": 1,
    "video": 2,
    "face": 2,
    "networks": 2,
    "losses": 2,
    "landmarks": 3,
    "transfer": 3,
    "rendering": 3,
    "provenance": 3,
    "tracking": 4,
    "metrics": 4,
    "edit": 4,
    "guard": 4,
    "datamodules": 5,
    "inspection": 5,
    "demo_clips": 5,
    "training": 6,
    "synthesis": 7,
    "evaluation": 8,
    "callbacks": 8,
    "live": 8,
    "app": 8,
    "experiments": 9,
    "commands": 10,
}
"""Every room of the package and its floor, counted from the ground."""

LINKED = ("datamodules", "callbacks")
"""Rooms at the top of a clone, linked into the package; its other rooms get at them by class path alone."""

FILES = sorted(p for folder in ("lit_reenact", *LINKED) for p in (REPOSITORY / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    """Return the full name under which the package imports a file."""
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts if parts[0] == "lit_reenact" else ("lit_reenact", *parts)).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Yield the full names that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the full name"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str | None:
    """Return the room that a full name belongs to; None for other people's packages."""
    parts = name.split(".")
    if parts[0] != "lit_reenact":
        return None
    return parts[1] if len(parts) > 1 else "lit_reenact"


def is_forbidden(importer: str, imported: str) -> bool:
    """Tell whether one room may not import another."""
    if importer == imported or imported in ("lit_reenact", "_torchvision"):
        return False
    if importer not in LINKED and imported in LINKED:
        return True
    return FLOOR[importer] <= FLOOR[imported]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_only_from_floors_below(path: Path) -> None:
    importer = room_of(module_name(path))
    assert importer in FLOOR, f"{path}: give {importer!r} a floor in {Path(__file__).name}"
    for name in imports(path):
        imported = room_of(name)
        if imported is not None:
            assert imported in FLOOR, f"{path} imports {name}: give {imported!r} a floor in {Path(__file__).name}"
            assert not is_forbidden(importer, imported), (
                f"{path} ({importer}, floor {FLOOR[importer]}) imports {name} ({imported}, floor {FLOOR[imported]})"
            )


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        ("rendering", "face", False),
        ("face", "rendering", True),
        ("losses", "networks", True),
        ("core", "video", True),
        ("training", "demo_clips", False),
        ("training", "datamodules", True),
        ("callbacks", "datamodules", False),
        ("datamodules", "callbacks", True),
        ("evaluation", "datamodules", True),
    ],
)
def test_rule(importer: str, imported: str, expected: bool) -> None:
    assert is_forbidden(importer, imported) is expected


def test_top_of_the_package_holds_rooms_alone() -> None:
    loose = {path.name for path in PACKAGE.glob("*.py")}
    assert loose == {"__init__.py", "_torchvision.py"}
    assert sum(path.is_dir() and (path / "__init__.py").is_file() for path in PACKAGE.iterdir()) <= 24


@pytest.mark.parametrize("folder", ["callbacks", "configs", "datamodules", "sweeps"])
def test_folders_at_the_top_are_linked_into_the_package(folder: str) -> None:
    assert (PACKAGE / folder).resolve() == REPOSITORY / folder
