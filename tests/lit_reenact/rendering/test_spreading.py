"""Continuation of values against the linear system that defines it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import spsolve

from lit_reenact.rendering import backend
from lit_reenact.rendering.spreading import relax, spread


@pytest.mark.usefixtures("implementation")
def test_the_continuation_is_the_harmonic_one() -> None:
    """The sparse linear system of the test says: every unknown value is the mean of its four neighbours, 0 beyond the border."""
    side = 48
    rows, columns = np.mgrid[:side, :side]
    known = (rows - 22) ** 2 + (columns - 26) ** 2 < 10**2
    values = np.where(known, 5 + 0.2 * rows - 0.1 * columns, 0.0)
    number = np.arange(side * side).reshape(side, side)
    pairs = [(number[:, 1:], number[:, :-1]), (number[1:], number[:-1])]
    one, other = (np.concatenate([pair[k].ravel() for pair in pairs]) for k in (0, 1))
    neighbours = csr_matrix((np.ones(2 * len(one)), (np.r_[one, other], np.r_[other, one])), shape=(side**2, side**2))
    free = diags((~known).ravel().astype(float))
    exact = spsolve((diags(np.ones(side**2)) - free @ neighbours / 4).tocsc(), values.ravel()).reshape(side, side)
    current = spread(torch.tensor(values)[None, None].float(), torch.tensor(known)[None, None])[0, 0].numpy()
    assert np.array_equal(current[known], values[known].astype(np.float32))
    assert np.abs(current - exact).max() < 0.06 * exact.max()


def test_both_implementations_relax_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3, 5, 17, 22, generator=generator)
    known = torch.rand(3, 1, 17, 22, generator=generator) > 0.6
    before = values.clone()
    results = []
    for compiled in (False, True):
        monkeypatch.setattr(backend, "COMPILED", compiled)
        results.append([relax(values, known, sweeps) for sweeps in (0, 1, 6)])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    assert torch.equal(values, before)
