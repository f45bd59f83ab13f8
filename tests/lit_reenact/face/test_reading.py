"""Face models by name or path: unreadable files are refused with a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.face import load_face_model


def test_message_says_where_to_get_models_and_under_what_licence() -> None:
    with pytest.raises(ReenactError, match="'ict'") as caught:
        load_face_model("ict")
    for part in ("ICT-VGL/ICT-FaceKit, MIT", "flame.is.tue.mpg.de", "CC-BY-4.0", "faces.dmi.unibas.ch", "non-commercial"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.txt", "a folder, .npz, .pkl or .h5 is expected"),
        ("model.npz", "not an .npz file"),
        ("model.pkl", "not a pickle of plain"),
    ],
)
def test_files_of_another_kind_are_refused(tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"not a model at all")
    with pytest.raises(ReenactError, match=message) as caught:
        load_face_model(str(path))
    assert str(path) in str(caught.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match=r"generic_neutral_mesh\.obj cannot be read"):
        load_face_model(str(tmp_path))
