"""The import floors: a file imports only from floors below its own, and from its own package."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

FLOORS = (
    {
        "lit_reenact",
        "_torchvision",
        "errors",
        "schema",
        "geometry",
        "split",
        "paths",
        "timeline",
        "audio",
        "hdr",
        "unfinished",
        "windows",
        "threads",
        "precision",
    },
    {"video", "networks", "losses", "adversarial", "metrics", "cuts", "measures", "occlusion", "optical_flow", "random_state"},
    {"landmarks", "face", "module", "exported", "provenance", "notes"},
    {"rendering", "transfer", "prepare", "glance"},
    {"tracking", "inference", "guard", "edit"},
    {"datamodules", "reenactment", "run_folder", "loggers", "finetuning", "cluster", "export", "hair_removal"},
    {"evaluation", "live", "app", "edited_video", "callbacks"},
    {"demo", "cli", "commands", "doctor", "suitability", "fit", "sweep", "ablations", "contradictions"},
)
"""Parts of lit_reenact, and the two packages beside it. On the ground floor (the types and what they need) and on the top one
(the commands, where everything meets) the parts may import each other."""

FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
SHARED_FLOORS = {0, len(FLOORS) - 1}

FILES = sorted(p for package in ("lit_reenact", "datamodules", "callbacks") for p in (REPOSITORY / package).rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Full names of what a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the full name"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(name: str) -> str | None:
    """The part of the project that a full name belongs to; None for other people's packages."""
    parts = name.split(".")
    if parts[0] in ("datamodules", "callbacks"):
        return parts[0]
    if parts[0] == "lit_reenact":
        return parts[1] if len(parts) > 1 else "lit_reenact"
    return None


def trespasses(importer: str, imported: str) -> bool:
    """Whether one part of the project may not import the other."""
    if importer == imported or imported == "lit_reenact":
        return False
    if importer not in ("datamodules", "callbacks") and imported in ("datamodules", "callbacks"):
        return True
    above = FLOOR[importer] - FLOOR[imported]
    return not (above > 0 or (above == 0 and FLOOR[importer] in SHARED_FLOORS))


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_only_from_floors_below(path: Path) -> None:
    importer = part_of(module_name(path))
    assert importer in FLOOR, f"{path}: give {importer!r} a floor in {Path(__file__).name}"
    for name in imports(path):
        imported = part_of(name)
        if imported is not None:
            assert imported in FLOOR, f"{path} imports {name}: give {imported!r} a floor in {Path(__file__).name}"
            assert not trespasses(importer, imported), (
                f"{path} ({importer}, floor {FLOOR[importer]}) imports {name} ({imported}, floor {FLOOR[imported]})"
            )


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        ("rendering", "face", False),
        ("face", "rendering", True),
        ("losses", "networks", True),
        ("geometry", "schema", False),
        ("demo", "fit", False),
        ("callbacks", "datamodules", False),
        ("datamodules", "callbacks", True),
        ("evaluation", "datamodules", True),
    ],
)
def test_rule(importer: str, imported: str, expected: bool) -> None:
    assert trespasses(importer, imported) is expected


@pytest.mark.parametrize("package", ["datamodules", "callbacks"])
def test_lit_reenact_is_imported_before_lightning(package: str) -> None:
    """It makes torchvision importable where its operators are missing; lightning imports torchvision."""
    body = ast.parse((REPOSITORY / package / "__init__.py").read_text(encoding="utf-8")).body
    first = next(n for n in body if isinstance(n, ast.Import | ast.ImportFrom) and getattr(n, "module", "") != "__future__")
    assert isinstance(first, ast.Import)
    assert first.names[0].name == "lit_reenact"


def test_wheel_holds_every_package() -> None:
    """pyproject.toml names the packages one by one: a new folder must be added there."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {module_name(path.parent / "__init__.py") for path in FILES}
    assert folders == set(settings["packages"]) - set(settings["package-dir"])
