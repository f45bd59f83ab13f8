"""Choice between the two implementations of rendering: torch, or the numba kernels of ``compiled`` on a CPU."""

from __future__ import annotations

from functools import cache
from importlib import import_module, util
from types import ModuleType

import torch

COMPILED = True
"""Use the compiled kernels where numba is installed (the extra ``fast``) and the tensors lie on the CPU."""


def kernels(device: torch.device) -> ModuleType | None:
    """Return the module of compiled kernels, or None where torch draws. Importing this module imports no numba."""
    return _kernels() if COMPILED and device.type == "cpu" else None


@cache
def _kernels() -> ModuleType | None:
    return import_module("lit_reenact.rendering.compiled.kernels") if util.find_spec("numba") else None
