"""The choice between the compiled kernels and torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lit_reenact.rendering import backend

REPOSITORY = Path(__file__).resolve().parents[3]

DRAW_WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None  # an import of it fails
from lit_reenact.face import builtin_model
from lit_reenact.core.schema import Camera
from lit_reenact.rendering import backend
from lit_reenact.rendering.renderer import make_renderer
from tests.factories import make_actor, make_parameters

model = builtin_model()
renderer = make_renderer(model, make_actor(model), Camera(350.0, 64, 64), None)
assert renderer(make_parameters(model, 1)).any()
assert not any(name.startswith("lit_reenact.rendering.compiled") for name in sys.modules)
"""


def test_torch_draws_where_the_kernels_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    assert backend.kernels(torch.device("cpu")) is not None
    assert backend.kernels(torch.device("cuda")) is None
    monkeypatch.setattr(backend, "COMPILED", False)
    assert backend.kernels(torch.device("cpu")) is None


def test_torch_draws_where_numba_is_not_installed() -> None:
    subprocess.run([sys.executable, "-c", DRAW_WITHOUT_NUMBA], check=True, timeout=120, cwd=REPOSITORY)
