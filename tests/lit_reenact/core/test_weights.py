"""The shipped weights: whole, decoded, and refused in words where they are damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from lit_reenact.core import weights
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.weights import FOLDER, SHA256, WeightsName, load_weights


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in place of the shipped one."""
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    load_weights.cache_clear()
    yield tmp_path
    load_weights.cache_clear()


@pytest.mark.parametrize("name", SHA256)
def test_tensors_are_finite_float32(name: WeightsName) -> None:
    tensors = load_weights(name)
    assert tensors
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in tensors.values())


def test_a_uint8_tensor_is_scaled_and_moved() -> None:
    key = "dense0.conv0.filters"
    with safe_open(FOLDER / "face_landmarks_68.safetensors", "pt") as file:
        stored, (scale, offset) = file.get_tensor(key), file.get_tensor(f"{key}.affine").tolist()
    assert stored.dtype == torch.uint8
    value = load_weights("face_landmarks_68")[key][1, 2, 0, 3].item()
    assert value == pytest.approx(stored[1, 2, 0, 3].item() * scale + offset, rel=1e-6)


def test_every_file_has_its_licence_and_its_origin() -> None:
    readme = (FOLDER / "README.md").read_text()
    for name in SHA256:
        line = next(line for line in readme.splitlines() if line.startswith(f"| `{name}.safetensors`"))
        assert (FOLDER / line[line.index("`LICENSE-") + 1 :].split("`")[0]).is_file()


def test_a_missing_file_is_reported(folder: Path) -> None:
    with pytest.raises(ReenactError, match=r"alexnet_features\.safetensors is missing.*install lit_reenact again"):
        load_weights("alexnet_features")


@pytest.mark.parametrize("damage", ["cut", "flipped bit"])
def test_a_damaged_file_is_refused(folder: Path, damage: str) -> None:
    content = bytearray((Path(weights.__file__).parent / "face_landmarks_68.safetensors").read_bytes())
    if damage == "cut":
        del content[-1000:]
    else:
        content[-1] ^= 1
    (folder / "face_landmarks_68.safetensors").write_bytes(content)
    with pytest.raises(ReenactError, match=r"face_landmarks_68\.safetensors is damaged.*install"):
        load_weights("face_landmarks_68")
