"""What an unfinished run has kept: read back exactly, never when it is stale or damaged, gone in the end."""

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
    """The file of a group of arrays that is kept in ``tmp_path``."""
    Unfinished(tmp_path, FACTS).store("faces-0", ARRAYS, size=256)
    (path,) = (tmp_path / "unfinished").iterdir()
    return path


def kept(file: Path, size: int = 256, **facts: str | int) -> dict[str, np.ndarray] | None:
    return Unfinished(file.parent.parent, FACTS | facts).load("faces-0", size=size)


def test_arrays_come_back(file: Path) -> None:
    arrays = kept(file)
    assert arrays is not None
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)


def test_what_was_made_from_something_else_does_not_count(file: Path) -> None:
    assert kept(file, source_sha256="cd" * 32) is None
    assert kept(file, size=128) is None
    assert kept(file, another=1) is None
    assert Unfinished(file.parent.parent, FACTS).load("faces-1", size=256) is None


@pytest.mark.parametrize("damage", [lambda b: b[:-7], lambda b: b[:40], lambda b: b"", lambda b: b[:-7] + b"\x01" + b[-6:]])
def test_what_is_damaged_does_not_count_and_is_written_anew(file: Path, damage: object) -> None:
    assert callable(damage)
    file.write_bytes(damage(file.read_bytes()))
    assert kept(file) is None
    Unfinished(file.parent.parent, FACTS).store("faces-0", ARRAYS, size=256)
    assert kept(file) is not None


def test_it_goes_when_it_is_refused_but_not_when_it_breaks(file: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), forget_if_refused(tmp_path):
        raise KeyboardInterrupt
    assert kept(file) is not None
    (tmp_path / "other").touch()
    with pytest.raises(ReenactError), forget_if_refused(tmp_path):
        raise ReenactError("refused")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    (tmp_path / "other").unlink()
    Unfinished(tmp_path / "track", FACTS).store("faces-0", ARRAYS)
    forget(tmp_path / "track")
    assert not list(tmp_path.iterdir())
