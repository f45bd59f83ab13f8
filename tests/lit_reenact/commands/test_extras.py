"""Extras stand behind one door: everything else works without their packages, and the door names the extra that is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lit_reenact.commands.main import BAD_INPUT, main
from lit_reenact.core.errors import ReenactError
from lit_reenact.metrics.backbones import OnnxBackbone
from lit_reenact.synthesis.export import write_onnx
from lit_reenact.synthesis.onnx_generator import OnnxGenerator
from lit_reenact.tracking.bounded_solver import bounded_minimum, single_frame_backend
from tests.test_imports import FILES, REPOSITORY, module_name

PACKAGES = ("gradio", "h5py", "numba", "onnx", "onnxruntime", "onnxscript", "sweeps", "tensorboard", "tensorboardX")

BEHIND_DOORS = ("app", "live", "synthesis.hair", "experiments.sweep", "rendering.compiled", "tracking.compiled_sweeps")
"""Rooms and files that are imported when they are needed, and not before."""

PROGRAM = """
import sys
from importlib import import_module
packages, modules = (argument.split(",") for argument in sys.argv[1:])
sys.modules |= dict.fromkeys(packages)  # None: as if they were not installed
for module in modules:
    import_module(module)
print(*(name for name in sys.modules if name.startswith("lit_reenact")))
import torch
from lit_reenact.rendering import backend
assert backend.kernels(torch.device("cpu")) is None
from lit_reenact.commands.main import main
main(["--help"])
"""


def is_behind_a_door(module: str) -> bool:
    return any(f"{module}.".startswith(f"lit_reenact.{room}.") for room in BEHIND_DOORS)


def test_everything_else_is_imported_without_extras() -> None:
    modules = [module for module in map(module_name, FILES) if not is_behind_a_door(module)]
    command = [sys.executable, "-c", PROGRAM, ",".join(PACKAGES), ",".join(modules)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported, help_text = done.stdout.split("\n", 1)
    assert set(modules) <= set(imported.split())
    assert [module for module in imported.split() if is_behind_a_door(module)] == []
    assert "usage: lit-reenact" in help_text


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Function after which a package counts as not installed."""
    return lambda package: monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.parametrize(
    ("package", "extra", "words"),
    [
        ("gradio", "app", ["app"]),
        ("sweeps", "sweeps", ["sweep", str(REPOSITORY / "sweeps" / "learning_rate.yaml")]),
        (
            "tensorboard",
            "tensorboard",
            ["fit", "--config", str(REPOSITORY / "configs" / "debug.yaml"), "--loggers=[tensorboard]"],
        ),
    ],
)
def test_a_command_names_the_extra_that_it_needs(
    package: str,
    extra: str,
    words: list[str],
    tmp_path: Path,
    without: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    without(package)
    without("tensorboardX")
    assert main(words) == BAD_INPUT
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert f"pip install 'lit_reenact[{extra}]'" in message


@pytest.mark.parametrize(
    ("package", "use"),
    [
        ("onnxscript", lambda file: write_onnx(None, None, file)),  # type: ignore[arg-type]
        ("onnxruntime", OnnxGenerator),
        ("onnxruntime", OnnxBackbone),
    ],
)
def test_onnx_names_its_extra(package: str, use: Callable[[Path], Any], without: Callable[[str], None], tmp_path: Path) -> None:
    without(package)
    with pytest.raises(ReenactError, match=r"pip install 'lit_reenact\[export\]'"):
        use(tmp_path / "network.onnx")


def test_without_numba_the_solver_runs_on_torch(without: Callable[[str], None]) -> None:
    without("numba")
    assert single_frame_backend() is bounded_minimum
