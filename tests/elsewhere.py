"""Tensors that say they lie on another device, to find without one where devices are mixed.

Numbers stay in the processor's memory, but every operation looks where its tensors say they are and refuses what CUDA refuses:
arguments on two devices, and NumPy. The device goes by the name of ``meta``, the only other one that every build of torch knows.
What a GPU rounds otherwise, or cannot do at all, shows on a GPU alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

THERE = torch.device("meta")

aten = torch.ops.aten
MOVES = {aten._to_copy.default, aten.copy_.default}
INDEXES = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default}
"""CUDA takes indices from the processor's memory too."""


class Elsewhere(Tensor):
    """A tensor that says that it lies ``THERE``."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Elsewhere:
        shape, facts = inner.size(), {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        tensor: Elsewhere = Tensor._make_wrapper_subclass(cls, shape, device=THERE, **facts)
        tensor.inner = inner
        return tensor

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.inner.detach().__reduce_ex__(protocol)

    def numpy(self, **_: Any) -> Any:
        raise TypeError("a tensor on another device has no NumPy array")

    def tolist(self) -> Any:
        return self.detach().cpu().tolist()


class _There(TorchDispatchMode):
    """Catches what makes tensors, too."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Numbers(TorchFunctionMode):
    """Tensors of plain numbers are made here and moved: torch itself makes empty ones ``THERE``."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or "cpu") == THERE:
            return func(*args, **{**kwargs, "device": "cpu"}).to(THERE)
        if func is Tensor.new_tensor and isinstance(args[0], Elsewhere):
            return torch.tensor(args[1], dtype=kwargs.get("dtype") or args[0].dtype).to(THERE)
        return func(*args, **kwargs)


@contextmanager
def another_device() -> Iterator[None]:
    """Meanwhile there is a device ``THERE``."""
    with _There(), _Numbers():  # type: ignore[no-untyped-call]
        yield


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = any(isinstance(tensor, Elsewhere) for tensor in tensors)
    if there and func not in MOVES:
        _refuse_mixture(func, args, tensors)
    device = kwargs.get("device")
    goes = there if device is None else torch.device(device) == THERE
    changed = {"device": torch.device("cpu")} if device is not None else {}
    plain_args, plain_kwargs = tree_map_only(Elsewhere, lambda tensor: tensor.inner, (args, {**kwargs, **changed}))
    made = func(*plain_args, **plain_kwargs)
    if func is aten.copy_.default:
        return args[0]
    if not goes:
        return made
    made = tree_map_only(Tensor, Elsewhere, made)
    is_view_or_in_place = there and any(result.alias_info is not None for result in func._schema.returns)
    return return_and_correct_aliasing(func, args, kwargs, made) if is_view_or_in_place else made


def _refuse_mixture(func: Any, args: Any, tensors: list[Tensor]) -> None:
    """Single numbers from the processor's memory are taken everywhere."""
    if func in INDEXES and isinstance(args[0], Elsewhere):
        tensors = [leaf for leaf in args[2:3] if isinstance(leaf, Tensor)]
    here = [tuple(tensor.shape) for tensor in tensors if not isinstance(tensor, Elsewhere) and tensor.dim()]
    if here:
        raise RuntimeError(f"{func} of tensors on two devices; on the processor are those of {here}")
