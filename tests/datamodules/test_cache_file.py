"""Cache files: whole or written again."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.datamodules.cache_file import ABANDONED, CacheFile, Images

SHAPE = (6, 4, 4, 3)
VALUES = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


def parts() -> Iterator[Images]:
    yield VALUES[:4]
    yield VALUES[4:]


@pytest.fixture
def file(tmp_path: Path) -> CacheFile:
    cache = CacheFile(tmp_path, "images", "0123", SHAPE)
    cache.write(parts())
    return cache


def test_reading_returns_what_was_written(file: CacheFile) -> None:
    assert file.is_intact()
    assert np.array_equal(np.load(file.path), VALUES)
    assert np.array_equal(file.read(torch.tensor([5, 0, 0])).numpy(), VALUES[[5, 0, 0]])


@pytest.mark.parametrize("damage", ["missing", "cut off", "longer", "one bit", "other checksum", "another shape", "empty"])
def test_a_damaged_file_is_not_intact(file: CacheFile, damage: str) -> None:
    content = bytearray(file.path.read_bytes())
    file.path.unlink()
    if damage == "cut off":
        del content[-20:]
    elif damage == "longer":
        content += b"\0"
    elif damage == "one bit":
        content[200] ^= 16
    elif damage == "other checksum":
        content[-1] ^= 1
    elif damage == "empty":
        content.clear()
    if damage == "another shape":
        CacheFile(file.path.parent, "images", "0123", (3, 8, 4, 3)).write([VALUES.reshape(3, 8, 4, 3)])
    elif damage != "missing":
        file.path.write_bytes(content)
    assert not file.is_intact()


def test_a_full_disk_gives_one_sentence_and_leaves_no_file(tmp_path: Path) -> None:
    """A file size limit makes a write fail halfway."""
    file = CacheFile(tmp_path, "images", "0123", (40, 64, 64, 3))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(ReenactError, match=r"images-0123\.npy cannot be written \(.*\): it needs 0\.00 GiB") as refusal:
            file.write(np.zeros((1, 64, 64, 3), np.uint8) for _ in range(40))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert isinstance(refusal.value.__cause__, OSError)
    assert refusal.value.__cause__.errno == errno.EFBIG
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_no_file(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Images]:
        yield VALUES[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CacheFile(tmp_path, "images", "0123", SHAPE).write(interrupted())
    assert not list(tmp_path.iterdir())


def test_stale_and_abandoned_files_are_removed(file: CacheFile) -> None:
    folder = file.path.parent
    running, abandoned, other = (folder / name for name in ("images-9.a.part", "images-9.b.part", "frames-9.npy"))
    for path in (running, abandoned, other):
        path.touch()
    os.utime(abandoned, (0, running.stat().st_mtime - ABANDONED - 1))
    CacheFile(folder, "images", "4567", SHAPE).write(parts())
    assert {path.name for path in folder.iterdir()} == {"images-4567.npy", running.name, other.name}


def _write(folder: Path) -> None:
    CacheFile(folder, "images", "0123", (200, 64, 64, 3)).write(np.full((1, 64, 64, 3), k, np.uint8) for k in range(200))


def test_several_processes_may_build_it_at_once(tmp_path: Path) -> None:
    context = get_context("fork")
    processes = [context.Process(target=_write, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert CacheFile(tmp_path, "images", "0123", (200, 64, 64, 3)).is_intact()
    assert len(list(tmp_path.iterdir())) == 1
