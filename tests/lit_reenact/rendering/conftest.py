"""Both implementations of the rasteriser."""

from __future__ import annotations

import pytest

from lit_reenact.rendering import backend


@pytest.fixture(params=["torch", "numba"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs with each."""
    if request.param == "numba":
        pytest.importorskip("numba")
    monkeypatch.setattr(backend, "COMPILED", request.param == "numba")
