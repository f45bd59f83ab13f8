"""The two implementations of rendering."""

from __future__ import annotations

import pytest

from lit_reenact.rendering import backend


@pytest.fixture(params=["torch", "numba"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test with torch and with the compiled kernels."""
    if request.param == "numba":
        pytest.importorskip("numba")
    monkeypatch.setattr(backend, "COMPILED", request.param == "numba")
