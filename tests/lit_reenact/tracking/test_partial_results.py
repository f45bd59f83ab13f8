"""Partial results: read back exactly, never when stale or damaged, and removed in the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.tracking.partial_results import Unfinished, forget, forget_if_refused

ARRAYS = {"points": np.linspace(0, 1, 30, dtype=np.float32).reshape(5, 2, 3), "counts": np.array([2, 0, 3])}
FACTS = {"source_sha256": "ab" * 32, "block": 1000}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Path of a stored group of arrays."""
    Unfinished(tmp_path, FACTS).store("faces-0", ARRAYS, size=256)
    (path,) = (tmp_path / "unfinished").iterdir()
    return path


def load(file: Path, size: int = 256, **facts: str | int) -> dict[str, np.ndarray] | None:
    return Unfinished(file.parent.parent, FACTS | facts).load("faces-0", size=size)


def test_arrays_come_back(file: Path) -> None:
    arrays = load(file)
    assert arrays is not None
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)


def test_arrays_that_depend_on_other_facts_do_not_count(file: Path) -> None:
    assert load(file, source_sha256="cd" * 32) is None
    assert load(file, size=128) is None
    assert load(file, another=1) is None
    assert Unfinished(file.parent.parent, FACTS).load("faces-1", size=256) is None


@pytest.mark.parametrize("damage", [lambda b: b[:-7], lambda b: b[:40], lambda b: b"", lambda b: b[:-7] + b"\x01" + b[-6:]])
def test_damaged_files_do_not_count_and_are_written_again(file: Path, damage: object) -> None:
    assert callable(damage)
    file.write_bytes(damage(file.read_bytes()))
    assert load(file) is None
    Unfinished(file.parent.parent, FACTS).store("faces-0", ARRAYS, size=256)
    assert load(file) is not None


def test_results_are_removed_after_a_refusal_but_not_after_an_interrupt(file: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), forget_if_refused(tmp_path):
        raise KeyboardInterrupt
    assert load(file) is not None
    (tmp_path / "other").touch()
    with pytest.raises(ReenactError), forget_if_refused(tmp_path):
        raise ReenactError("refused")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    (tmp_path / "other").unlink()
    Unfinished(tmp_path / "track", FACTS).store("faces-0", ARRAYS)
    forget(tmp_path / "track")
    assert not list(tmp_path.iterdir())
