"""The track file: round trip, older files, and what is refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Track
from lit_reenact.tracking.trackfile import TRACK_NAME, _digest, load_track, save_track
from tests.factories import make_track


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> Track:
    return make_track(tmp_path_factory.mktemp("track"), frames=8)


def stored_block(path: Path) -> dict[str, Any]:
    """Return the metadata block of a track file."""
    with safe_open(path, framework="pt") as file:
        block: dict[str, Any] = json.loads(file.metadata()["track"])
    return block


def rewrite(path: Path, **changes: object) -> None:
    """Change entries of the metadata block of a track file."""
    block = stored_block(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata={"track": json.dumps({**block, **changes})})


def test_round_trip(track: Track, tmp_path: Path) -> None:
    track = replace(track, info=replace(track.info, warnings=("two faces",), settings={"size": 64, "face_model": "builtin"}))
    path = save_track(track, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [TRACK_NAME]
    for found in (load_track(tmp_path), load_track(path)):
        assert found.info == track.info
        assert found.camera == track.camera
        for part in ("parameters", "actor", "landmarks"):
            for f in fields(getattr(track, part)):
                assert torch.equal(getattr(getattr(found, part), f.name), getattr(getattr(track, part), f.name))
        assert torch.equal(found.valid, track.valid)
        assert torch.equal(found.error, track.error)
        assert torch.equal(found.photometric_error, track.photometric_error)


def test_warnings_are_stored_under_the_name_of_the_schema(track: Track, tmp_path: Path) -> None:
    path = save_track(replace(track, info=replace(track.info, warnings=("two faces",))), tmp_path)
    assert stored_block(path)["info"]["notes"] == ["two faces"]


def test_a_track_from_before_photometric_errors_were_measured(track: Track, tmp_path: Path) -> None:
    path = save_track(track, tmp_path)
    block = stored_block(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys() if name != "photometric_error"}  # noqa: SIM118
    save_file(tensors, path, metadata={"track": json.dumps({**block, "digest": _digest(tensors)})})
    found = load_track(path)
    assert found.photometric_error.shape == (8, 2)
    assert bool(found.photometric_error.isnan().all())


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match=r"no such track.*lit-reenact track"):
        load_track(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a track", b"\xff" * 1000])
def test_not_a_track(tmp_path: Path, content: bytes) -> None:
    (tmp_path / TRACK_NAME).write_bytes(content)
    with pytest.raises(ReenactError, match="damaged"):
        load_track(tmp_path)


def test_truncated(track: Track, tmp_path: Path) -> None:
    path = save_track(track, tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ReenactError, match="damaged"):
        load_track(path)


def test_one_flipped_bit(track: Track, tmp_path: Path) -> None:
    path = save_track(track, tmp_path)
    content = bytearray(path.read_bytes())
    content[-5000] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ReenactError, match="checksum"):
        load_track(path)


def test_another_schema(track: Track, tmp_path: Path) -> None:
    path = save_track(track, tmp_path)
    rewrite(path, schema=99)
    with pytest.raises(ReenactError, match=r"schema 99.*reads schema 2.*again"):
        load_track(path)


@pytest.mark.parametrize(("change", "message"), [({"face_model": "basel"}, "basel"), ({"face_model_hash": "abc"}, "abc")])
def test_another_face_model(track: Track, tmp_path: Path, change: dict[str, str], message: str) -> None:
    path = save_track(track, tmp_path)
    rewrite(path, info={**stored_block(path)["info"], **change})
    with pytest.raises(ReenactError, match=message):
        load_track(path)


def test_foreign_safetensors(tmp_path: Path) -> None:
    save_file({"weights": torch.zeros(3)}, tmp_path / TRACK_NAME)
    with pytest.raises(ReenactError, match="no track file"):
        load_track(tmp_path)
