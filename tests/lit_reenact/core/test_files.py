"""Files are written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from lit_reenact.core.files import atomic_output, sha256_of, write_json, write_text


def test_atomic_output_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    with atomic_output(path) as partial:
        partial.write_text("a")
        assert not path.exists()
    assert path.read_text() == "a"
    assert [file.name for file in path.parent.iterdir()] == ["table.csv"]


def test_failed_output_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("earlier")

    def fail() -> None:
        with atomic_output(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "earlier"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_text_and_json_are_utf_8(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "Größe")
    write_json(tmp_path / "a.json", {"size": [1, 2]})
    assert (tmp_path / "a.txt").read_bytes() == "Größe".encode()
    assert json.loads((tmp_path / "a.json").read_text()) == {"size": [1, 2]}


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
