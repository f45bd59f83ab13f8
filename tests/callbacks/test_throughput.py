"""Speed by a clock that the test sets, operations counted by hand, and a training that gives the same weights."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader

import lit_reenact.callbacks.throughput
from lit_reenact.callbacks import BatchBudget, BatchStepCheckpoint, Throughput
from lit_reenact.callbacks.base import Callback, Trainer
from lit_reenact.callbacks.throughput import peak_flops
from lit_reenact.core.schema import Window
from lit_reenact.training.module import ReenactModule
from tests.factories import collate_windows, groups_of, make_data, make_module, make_trainer
from tests.lit_reenact.training.test_module import SMALL, Windows


class Clock:
    """Clock that only the slow parts of the test advance."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class SlowWindows(Windows):
    """Batches of two windows that take 0.03 s each to load."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(count=60)
        self.clock = clock

    def train_dataloader(self) -> DataLoader[Window]:
        def collate(samples: list[Window]) -> Window:
            self.clock.now += 0.03
            return collate_windows(samples)

        return DataLoader(self.windows, batch_size=2, collate_fn=collate)  # type: ignore[arg-type]


class SlowModule(ReenactModule):
    """Module that takes 0.01 s a batch, and 1,000 s a validation batch or checkpoint."""

    clock: Clock

    def training_step(self, batch: Window, batch_idx: int) -> Any:
        self.clock.now += 0.01
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: Window, batch_idx: int) -> Tensor:
        self.clock.now += 1000
        return super().validation_step(batch, batch_idx)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.clock.now += 1000
        super().on_save_checkpoint(checkpoint)


class Monitored(Callback):
    """Callback that logs the value that chooses the best checkpoint."""

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: ReenactModule) -> None:
        pl_module.log("val/face_l1", 1.0)


class SlowLogger(CSVLogger):
    """Logger that takes 0.02 s."""

    clock: Clock

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.clock.now += 0.02
        super().log_metrics(metrics, step)


def test_speed_and_waiting_without_validations_and_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, logger = Clock(), SlowLogger(tmp_path)
    monkeypatch.setattr(lit_reenact.callbacks.throughput, "perf_counter", clock)
    module = SlowModule(**groups_of(SMALL, losses={"adversarial": 0.0}))
    module.clock = logger.clock = clock
    checkpoint = BatchStepCheckpoint(every_n_batches=17)
    settings = {"val_check_interval": 12, "log_every_n_steps": 5, "logger": logger}
    trainer = make_trainer(tmp_path, Throughput(warm_up=3), Monitored(), checkpoint, BatchBudget(20), **settings)
    trainer.fit(module, SlowWindows(clock))
    with (Path(logger.log_dir) / "metrics.csv").open() as file:
        rows = {float(row["batch_step"]): row for row in csv.DictReader(file) if row["loss/l1"]}
    # Batches 4 and 5; 6 to 10 with the logger's pause; 14 and 15 after the validation; 19 and 20 after the checkpoint.
    speed = {step: float(row["throughput/windows_per_second"]) for step, row in rows.items()}
    assert speed == pytest.approx({5: 2 / 0.04, 10: 10 / 0.22, 15: 2 / 0.04, 20: 2 / 0.04}, rel=1e-4)
    wait = {step: float(row["throughput/data_wait"]) for step, row in rows.items()}
    assert wait == pytest.approx({5: 0.75, 10: 0.03 / 0.044, 15: 0.75, 20: 0.75}, rel=1e-4)
    assert 0.1 < float(rows[20]["throughput/memory_gib"]) < 100


def test_operations_equal_those_of_three_passes_by_hand(tmp_path: Path) -> None:
    """Forward pass and both gradients take as many each; the first layer needs no gradient by its input."""
    module = make_module(losses={"adversarial": 0.0}, generator={"head": "tanh"})
    forward: dict[nn.Module, int] = {}

    def count(layer: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        taps = layer.kernel_size[0] * layer.kernel_size[1]
        pixels, others = (inputs[0], layer.out_channels) if layer.transposed else (output, layer.in_channels)
        forward[layer] = 2 * pixels.numel() * others * taps // len(output)

    layers = [layer for layer in module.generator.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    for layer in layers:
        layer.register_forward_hook(count)
    throughput = Throughput()
    make_trainer(tmp_path, throughput, limit_val_batches=0, max_steps=1).fit(module, Windows(count=2))
    assert throughput.flops == 3 * sum(forward.values()) - forward[layers[0]]


def test_counting_operations_changes_no_weight(track_folder: Path, tmp_path: Path) -> None:
    """The weights are equal bit by bit, the first batch included."""
    states = []
    for watching in ([], [Throughput(warm_up=1)]):
        torch.manual_seed(0)
        module = make_module(losses={"feature_matching": 1.0, "r1": 1.0})
        trainer = make_trainer(tmp_path, *watching, BatchBudget(4), limit_val_batches=0, log_every_n_steps=1)
        trainer.fit(module, datamodule=make_data(track_folder))
        states.append(module.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(
    ("device", "precision", "expected"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16-mixed", 989.4e12),
        ("NVIDIA H100 PCIe", "16-mixed", 756e12),
        ("NVIDIA H200", "32-true", 494.7e12),
        ("NVIDIA A100-SXM4-80GB", "32-true", 156e12),
        ("NVIDIA L40S", "bf16-true", 362e12),
        ("NVIDIA L4", "bf16-true", 121e12),
        ("NVIDIA L40", "bf16-true", None),
        ("NVIDIA H100 PCIe", "64-true", None),
        ("Radeon", "16-mixed", None),
    ],
)
def test_peaks_of_known_devices(device: str, precision: str, expected: float | None) -> None:
    assert peak_flops(device, precision) == expected


def test_counting_leaves_a_compiled_network_compiled(tmp_path: Path) -> None:
    compiled = 0

    def backend(graph: Any, inputs: Any) -> Any:
        def run(*values: Any) -> Any:
            nonlocal compiled
            compiled += 1
            return graph.forward(*values)

        return run

    flops = []
    for compile_it in (False, True):
        module, throughput = make_module(losses={"adversarial": 0.0}), Throughput()
        if compile_it:
            module.generator.compile(backend=backend)
        make_trainer(tmp_path, throughput, limit_val_batches=0, max_steps=3).fit(module, Windows())
        flops.append(throughput.flops)
    assert flops[0] == flops[1]
    assert compiled == 2  # of three batches
