"""How numba is told to compile, and the arrays that its functions take.

Tensors lie on the CPU. Indices of innermost loops are unsigned, for numba looks at each signed one: a negative one counts from
the end. Numbers without a type are float64 and would draw float32 along, which is why constants carry theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from torch import Tensor

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile at the first call; that takes seconds, and is kept for later processes where a folder can be written."""
    try:
        kernel: _Function = numba.njit(cache=True, error_model="numpy")(function)  # a division by 0 gives inf, as in torch
    except RuntimeError:  # nowhere to keep it
        kernel = numba.njit(error_model="numpy")(function)
    return kernel


def inlined(function: _Function) -> _Function:
    """Compile into each function that calls it: a call would take longer than what is done there."""
    kernel: _Function = numba.njit(forceinline=True, error_model="numpy")(function)
    return kernel


def array(tensor: Tensor) -> npt.NDArray[Any]:
    """The same memory, if it is contiguous."""
    memory: npt.NDArray[Any] = tensor.contiguous().numpy()
    return memory
