"""Opening runs, and the errors of runs that cannot be opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from lit_reenact.app.runs import open_run
from lit_reenact.core.errors import ReenactError


def test_a_run_folder_knows_its_target_and_is_opened_once(run_folder: Path) -> None:
    run = open_run(None, run_folder)
    assert run.target.folder == run_folder.parent / "track"
    assert run.checkpoint == run_folder / "checkpoints" / "best.ckpt"
    assert open_run(run_folder.parent / "track", run.checkpoint) is run
    assert open_run(run_folder.parent / "track" / "track.safetensors", run_folder) is run


@pytest.mark.parametrize(
    ("track", "sentence"),
    [("elsewhere", "elsewhere, which is not here"), (["a", "b"], "trained on 2 tracks"), (None, "is no run folder")],
)
def test_a_run_without_its_target(track: object, sentence: str, run_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(run_folder, tmp_path / "run")
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump({"data": {"track": track}} if track else {}))
    with pytest.raises(ReenactError, match=sentence):
        open_run(None, tmp_path / "run")


def test_a_run_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ReenactError, match="holds no checkpoint"):
        open_run(None, tmp_path)
