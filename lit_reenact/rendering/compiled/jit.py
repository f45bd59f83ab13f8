"""Decorators that compile with numba, and the array types that compiled functions take.

Rules of the compiled code, each of them measured:

* Indices of innermost loops are unsigned. Numba checks every signed index, as a negative one counts from the end.
* Constants are float32. A number without a type is float64 and would turn float32 sums into float64.
* Numba counts the references to an array at every call. What runs once for a pixel or a sample is therefore inlined, and takes
  numbers and tuples of numbers where it runs for each of them.
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

Number = Any
"""A number within a compiled function, whose type numba infers."""

Corner = tuple[Number, Number, Number]
"""A corner of a triangle: x and y in pixels, depth in mm."""

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(function: _Function) -> _Function:
    """Compile at the first call, which takes seconds, and keep the machine code on disk where a folder can be written.

    A change of the function's own file renews what is kept. A change of a function that it calls in another file does not.
    """
    return _compile(function)


def fused_kernel(function: _Function) -> _Function:
    """Compile like ``kernel``, and let a product and a sum be rounded once: the last bit of a colour does not matter."""
    return _compile(function, fastmath={"contract"})


def inline(function: _Function) -> _Function:
    """Compile into every caller: a call would take longer than the function itself."""
    return _compile(function, forceinline=True)


def fused_inline(function: _Function) -> _Function:
    """Compile into every caller like ``inline``, with the rounding of ``fused_kernel``."""
    return _compile(function, forceinline=True, fastmath={"contract"})


def _compile(function: _Function, **options: Any) -> _Function:
    options["error_model"] = "numpy"  # a division by 0 gives inf, like in torch
    try:
        machine_code: _Function = numba.njit(cache="forceinline" not in options, **options)(function)
    except RuntimeError:  # no folder can be written
        machine_code = numba.njit(**options)(function)
    return machine_code


def as_array(tensor: Tensor) -> npt.NDArray[Any]:
    """Return a CPU tensor as an array; it shares the memory of a contiguous tensor."""
    memory: npt.NDArray[Any] = tensor.contiguous().numpy()
    return memory


def as_indices(tensor: Tensor) -> Indices:
    """Return a tensor of integers >= 0 as a uint32 array of its shape."""
    return as_array(tensor).astype(np.uint32)
