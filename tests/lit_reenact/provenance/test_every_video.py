"""Every video is signed: a new writer of videos signs, or stands below with the reason why it need not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

UNSIGNED = {
    "lit_reenact/tracking/working_clip.py": "a working clip is a recording",
    "lit_reenact/demo_clips/clips.py": "drawn without a network; input of the demo",
    "lit_reenact/synthesis/resumable_writer.py": "pieces of a video that is signed when they are joined",
    "lit_reenact/evaluation/fidelity.py": "lies in a temporary folder while it is tracked again",
}


def unsigned_writers(source: str) -> list[int]:
    """Return the lines that make a writer of videos without ``finish``, which signs."""
    lines = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        named = {one.id for one in (call.func, *call.args) if isinstance(one, ast.Name)}
        if named & {"VideoWriter", "ResumableWriter"} and "finish" not in {keyword.arg for keyword in call.keywords}:
            lines.append(call.lineno)
    return lines


@pytest.mark.parametrize("package", ["lit_reenact", "datamodules", "callbacks"])
def test_every_writer_signs(package: str) -> None:
    files = {str(path.relative_to(REPOSITORY)): path for path in (REPOSITORY / package).rglob("*.py")}
    found = {name for name, path in files.items() if unsigned_writers(path.read_text(encoding="utf-8"))}
    assert found == {name for name in UNSIGNED if name.startswith(package)}


def test_the_search_finds_unsigned_writers() -> None:
    assert unsigned_writers("with VideoWriter(path, fps, tags=tags) as video: pass") == [1]
    assert unsigned_writers("\nwrite = partial(ResumableWriter, tags=tags)") == [2]
    assert unsigned_writers("VideoWriter(path, fps, tags=tags, finish=signer(record))") == []
