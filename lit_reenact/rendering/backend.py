"""Which implementation draws: torch, or the kernels that numba compiles for processors."""

from __future__ import annotations

from functools import cache
from importlib import import_module, util
from types import ModuleType

import torch

COMPILED = True
"""Whether to take the compiled kernels where numba is installed and the tensors lie on the CPU."""


def kernels(device: torch.device) -> ModuleType | None:
    """The compiled kernels, or None where torch is to draw."""
    return _kernels() if COMPILED and device.type == "cpu" else None


@cache
def _kernels() -> ModuleType | None:
    return import_module("lit_reenact.rendering.compiled.kernels") if util.find_spec("numba") else None
