"""A wheel holds one top-level package with everything that a clone has, and trains from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHIPPED = (".py", ".yaml", ".csv", ".css", ".js", ".html", ".sh", ".sbatch", ".safetensors", ".txt")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(REPOSITORY)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Could not find a version that satisfies the requirement setuptools" in result.stderr:
        pytest.skip("setuptools, which builds wheels, is not here and cannot be fetched")
    assert result.returncode == 0, result.stderr
    (wheel,) = folder.glob("*.whl")
    assert wheel.stat().st_size < 20 * 2**20
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


@pytest.mark.slow
def test_one_package_with_every_file(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {"lit_reenact"}
    folders = {"lit_reenact": "", **{name: name for name in ("callbacks", "configs", "datamodules", "sweeps")}}
    for folder, place in folders.items():
        for file in (REPOSITORY / folder).rglob("*"):
            if file.suffix in SHIPPED:
                assert (installed / "lit_reenact" / place / file.relative_to(REPOSITORY / folder)).is_file(), file


@pytest.mark.slow
def test_installed_package_trains_from_any_folder(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed), "WANDB_MODE": "disabled"}
    where = [sys.executable, "-c", "import lit_reenact, lit_reenact.callbacks as c; print(lit_reenact.__file__, c.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert [Path(file).is_relative_to(installed) for file in found] == [True, True]
    words = ["fit", "--config", "configs/debug.yaml", "--trainer.accelerator=cpu", "--loggers=[]"]
    command = [sys.executable, "-m", "lit_reenact.commands.main", *words]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "outputs" / "debug" / "seed-0" / "checkpoints" / "best.ckpt").is_file()
