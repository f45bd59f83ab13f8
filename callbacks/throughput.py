"""Speed of a training, its memory, and the share of time spent waiting for data."""

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
"""Peak dense 16-bit tensor throughput of GPUs, 10^12 operations a second, from the vendors' data sheets. The keys are patterns of
device names; the first match counts. TF32, in which GPUs convolve 32-bit numbers, reaches half of it."""


def peak_flops(device_name: str, precision: str) -> float | None:
    """Return the peak number of floating-point operations a second of a GPU; None for an unknown device.

    Args:
        device_name: name that CUDA reports, for example "NVIDIA H100 80GB HBM3".
        precision: Lightning's name of the trainer's precision, for example "bf16-mixed".
    """
    tera = next((peak for pattern, peak in PEAKS.items() if re.search(pattern, device_name)), None)
    if tera is None or precision.startswith("64"):
        return None
    if "16" in precision:
        return tera * 1e12
    return tera * 0.5e12 if torch.backends.cudnn.allow_tf32 else None


class _FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Dispatch mode that counts the floating-point operations that run inside its context.

    (PyTorch's ``FlopCounterMode`` also attributes them to modules, which fails in the second derivative of the R1 penalty.)
    """

    flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=result)
        return result


class Throughput(Callback):
    """Callback that logs the speed of the training since values were last logged.

    * ``throughput/windows_per_second``: windows of all processes together;
    * ``throughput/data_wait``: share of the time in which the networks wait for the next batch, in [0, 1];
    * ``throughput/memory_gib``: peak memory of this process, on the GPU if it has one;
    * ``throughput/mfu``: model FLOPs utilisation, the networks' floating-point operations over the GPU's peak in this time; or
      ``throughput/tflops``, 10^12 operations a second, where the peak is unknown.

    The operations are counted once, in the first batch, in which compiled networks therefore run uncompiled. Validations and
    checkpoints do not count. The GPU is not synchronised: over an interval it takes as long as the process that feeds it.

    Example:
        >>> trainer = Trainer(callbacks=[Throughput(warm_up=10)])
    """

    def __init__(self, warm_up: int = 10) -> None:
        """
        Args:
            warm_up: batches at the start of a training that do not count.
        """
        super().__init__()
        self.warm_up = warm_up
        self.flops: float | None = None  # for one window
        self._counting = ExitStack()

    def on_train_start(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        self._seen = 0
        self._start: float | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: ReenactModule, batch: Window, batch_idx: int) -> None:
        if self.flops is None:
            self._counting.enter_context(torch.compiler.set_stance("force_eager"))
            self._counter = self._counting.enter_context(_FlopCounter())  # type: ignore[no-untyped-call]
        elif self._start is not None and self._batches:  # before the first batch, the loggers caused the pause
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
        values = {"windows_per_second": speed * trainer.world_size, "memory_gib": _peak_memory(device) / 2**30}
        if self._batches > 1:
            values["data_wait"] = self._wait / (self._batches - 1) / (seconds / self._batches)
        peak = peak_flops(torch.cuda.get_device_name(device), str(trainer.precision)) if device.type == "cuda" else None
        values |= {"tflops": self.flops * speed / 1e12} if peak is None else {"mfu": self.flops * speed / peak}
        module.log_dict({f"throughput/{name}": value for name, value in values.items()})


def _peak_memory(device: torch.device) -> int:
    """Return the peak memory of this process in bytes, on the GPU if it uses one."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
