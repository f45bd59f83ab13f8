"""How numba is told to compile, and the arrays that its functions take.

Tensors lie on the CPU. Indices of innermost loops are unsigned, for numba looks at each signed one: a negative one counts from
the end. Numbers without a type are float64 and would draw float32 along, which is why constants carry theirs. What is inlined
takes numbers, not arrays, whose references would be counted at every call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from torch import Tensor

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Indices = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile at the first call; that takes seconds, and is kept for later processes where a folder can be written."""
    return _compiled(function)


def fused(function: _Function) -> _Function:
    """The same for colours, of which it does not matter that a product and a sum are rounded as one."""
    return _compiled(function, fastmath={"contract"})


def _compiled(function: _Function, **options: Any) -> _Function:
    options["error_model"] = "numpy"  # a division by 0 gives inf, as in torch
    try:
        kernel: _Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep it
        kernel = numba.njit(**options)(function)
    return kernel


def inlined(function: _Function) -> _Function:
    """Compile into each function that calls it: a call would take longer than what is done there."""
    kernel: _Function = numba.njit(forceinline=True, error_model="numpy")(function)
    return kernel


def array(tensor: Tensor) -> npt.NDArray[Any]:
    """The same memory, if it is contiguous."""
    memory: npt.NDArray[Any] = tensor.contiguous().numpy()
    return memory


def indices(tensor: Tensor) -> Indices:
    """Whole numbers from 0 on, in half the memory."""
    return array(tensor).astype(np.uint32)
