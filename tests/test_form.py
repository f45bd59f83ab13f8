"""Form of the code: short files and functions, and docstrings that name their subject."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = sorted(path for room in ("lit_reenact", "datamodules", "callbacks") for path in (REPOSITORY / room).rglob("*.py"))

ODD_OPENING = re.compile(r"(Of|As|By|What|How|Whether|Where|Which|Who|Whose|Else|Likewise)\b")
ODD_ARGUMENT = re.compile(r"\s+\*{0,2}\w+: (of |likewise|the same,|see there|as ``)", re.IGNORECASE)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def described(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of every docstring, and of every string that stands under a constant."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_docstrings_name_their_subject(path: Path) -> None:
    odd = []
    for line, text in described(ast.parse(path.read_text(encoding="utf-8"))):
        if ODD_OPENING.match(text):
            odd.append(f"{path.name}:{line}: {text.splitlines()[0]}")
        odd += [f"{path.name}:{line}: {part.strip()}" for part in text.splitlines() if ODD_ARGUMENT.match(part)]
    assert not odd, "\n".join(odd)


def test_functions_fit_on_a_screen() -> None:
    lengths = {
        f"{path.relative_to(REPOSITORY)}:{function.name}": function.end_lineno - function.lineno + 1
        for path in FILES
        for function in functions(ast.parse(path.read_text(encoding="utf-8")))
        if function.end_lineno is not None
    }
    assert not [name for name, length in lengths.items() if length > 60]
    assert statistics.median(lengths.values()) <= 8


def test_files_hold_one_idea() -> None:
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in FILES)
    assert statistics.median(lengths) <= 110
    assert lengths[int(0.9 * len(lengths))] <= 220


def test_types_are_seldom_ignored() -> None:
    assert sum(path.read_text(encoding="utf-8").count("type: ignore") for path in FILES) <= 25


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_public_functions_and_classes_have_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")]
    assert not [node.name for node in public if ast.get_docstring(node) is None]
