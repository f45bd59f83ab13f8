"""How fast the training goes, and what holds it up."""

from __future__ import annotations

import re
import resource
import sys
from contextlib import ExitStack
from time import perf_counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from lit_reenact.callbacks.base import Callback, Outputs, State, Trainer
from lit_reenact.core.schema import Window
from lit_reenact.training.module import ReenactModule

PEAKS = {
    "B200": 2250.0,
    "H200": 989.4,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.4,
    "A100": 312.0,
    "L40S": 362.0,
    r"L4\b": 121.0,
    "RTX 4090": 165.2,
}
"""Dense 16-bit tensor operations of GPUs by a pattern of their names, in 10^12 a second, from the makers' data sheets; the first
that fits counts. TF32, in which they convolve 32-bit numbers, reaches half of it."""


def peak_flops(device_name: str, precision: str) -> float | None:
    """The most floating-point operations a second that a GPU can do; None where that is not known.

    Args:
        device_name: as CUDA gives it, e.g. "NVIDIA H100 80GB HBM3".
        precision: of the trainer, e.g. "bf16-mixed".
    """
    tera = next((peak for pattern, peak in PEAKS.items() if re.search(pattern, device_name)), None)
    if tera is None or precision.startswith("64"):
        return None
    if "16" in precision:
        return tera * 1e12
    return tera * 0.5e12 if torch.backends.cudnn.allow_tf32 else None


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the floating-point operations of what runs under it.

    (``FlopCounterMode`` also tells the modules that they belong to, which fails in the gradient of a gradient of the R1 penalty.)
    """

    flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=result)
        return result


class Throughput(Callback):
    """Logs how fast the training went since values were last logged.

    * ``throughput/windows_per_second`` of all processes together;
    * ``throughput/data_wait``: share of the time in which the networks wait for the next batch;
    * ``throughput/memory_gib``: the most that this process ever took, of the GPU if it has one;
    * ``throughput/mfu``: floating-point operations of the networks over those that the GPU can do at its best in this time; or
      ``throughput/tflops``, 10^12 operations a second, where that is not known.

    The operations are counted once, in the first batch, which compiled networks run uncompiled for that. Validations and
    checkpoints are left out. A GPU is not waited for: over an interval its time is that of the process that feeds it.
    """

    def __init__(self, warm_up: int = 10) -> None:
        """
        Args:
            warm_up: batches at the start of a training that are left out.
        """
        super().__init__()
        self.warm_up = warm_up
        self.flops: float | None = None  # of one window
        self._counting = ExitStack()

    def on_train_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._seen = 0
        self._start: float | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: ReenactModule, batch: Window, batch_idx: int) -> None:
        if self.flops is None:
            self._counting.enter_context(torch.compiler.set_stance("force_eager"))
            self._counter = self._counting.enter_context(_Counter())  # type: ignore[no-untyped-call]
        elif self._start is not None and self._batches:  # the pause before the first batch is the loggers'
            self._wait += perf_counter() - self._end

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: ReenactModule, outputs: Outputs, batch: Window, batch_idx: int
    ) -> None:
        windows = len(batch.frame)
        if self.flops is None:
            self.flops = self._counter.flops / windows
            self._counting.close()
        self._end = perf_counter()
        self._seen += 1
        if self._start is None:
            if self._seen >= self.warm_up:
                self._restart()
            return
        self._batches += 1
        self._windows += windows
        if pl_module.is_logged:
            self._log(trainer, pl_module)
            self._restart()

    def on_validation_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._start = None

    def on_save_checkpoint(self, trainer: Trainer, pl_module: ReenactModule, checkpoint: State) -> None:
        self._start = None

    def on_exception(self, trainer: Trainer, pl_module: ReenactModule, exception: BaseException) -> None:
        self._counting.close()

    def _restart(self) -> None:
        self._start = self._end
        self._batches = self._windows = 0
        self._wait = 0.0

    def _log(self, trainer: Trainer, module: ReenactModule) -> None:
        assert self._start is not None
        assert self.flops is not None
        device, seconds = module.device, self._end - self._start
        speed = self._windows / seconds
        values = {"windows_per_second": speed * trainer.world_size, "memory_gib": _memory(device) / 2**30}
        if self._batches > 1:
            values["data_wait"] = self._wait / (self._batches - 1) / (seconds / self._batches)
        peak = peak_flops(torch.cuda.get_device_name(device), str(trainer.precision)) if device.type == "cuda" else None
        values |= {"tflops": self.flops * speed / 1e12} if peak is None else {"mfu": self.flops * speed / peak}
        module.log_dict({f"throughput/{name}": value for name, value in values.items()})


def _memory(device: torch.device) -> int:
    """The most bytes that this process has had."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
