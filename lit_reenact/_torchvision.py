"""Repair of torchvision where its compiled operators do not fit the installed torch, so that it can be imported.

A CPU build of torch beside a CUDA build of torchvision cannot load torchvision's library; its Python part then fails with
"operator torchvision::nms does not exist", and with it lpips, torchmetrics and lightning. This package uses none of them,
so declaring their schemas is enough. Where the library loads, nothing is changed.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def _library_loads() -> bool:
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # no torchvision, nothing to repair
    libraries = sorted(Path(spec.origin).parent.glob("_C*"))
    try:
        for library in libraries:
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
    except (OSError, RuntimeError):
        return False
    return bool(libraries)


def declare_missing_operators() -> torch.library.Library | None:
    """Declare torchvision's operators if its library cannot supply them; they last as long as the returned library."""
    if _library_loads():
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    return library


LIBRARY = declare_missing_operators()
