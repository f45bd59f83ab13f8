"""The generator against itself as research code runs it, in float32 and with contiguous images: training steps and synthesis.

Printed, never failing on time. Ratios are of the same run; the paper's network at 256 pixels.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lit_reenact.core.schema import Window
from lit_reenact.datamodules.sampler import make_generator
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.settings import GeneratorSettings
from lit_reenact.training import fit
from lit_reenact.training.cli import parse_config
from lit_reenact.training.module import ReenactModule
from lit_reenact.training.objective import total
from lit_reenact.training.run_folder import joined_curves
from lit_reenact.training.skipping import NormStatistics
from tests.factories import collate_windows, make_module, make_track
from tests.lit_reenact.training.test_module import quiet_trainer

SIZE, WINDOW, BATCH, STEPS = 256, 11, 4, 40


class Usual(nn.Module):
    """The same operations on contiguous images."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Generator(settings=GeneratorSettings(head="tanh")).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def forward(self, conditioning: Tensor) -> Tensor:
        skips: list[Tensor] = []
        features = conditioning
        for down in self.network.down:
            features = down(features)
            skips.append(features)
        features = skips.pop()
        for up in self.network.up:
            features = torch.cat([up(features), skips.pop()], dim=1)
        frame: Tensor = self.network.to_frame(self.network.last_up(features))
        return frame.tanh()


@pytest.fixture(autouse=True)
def _skip_unless_enabled(benchmark: BenchmarkFixture) -> None:
    if benchmark.disabled:
        pytest.skip("measures speed: run it with --benchmark-enable")


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def images(batch: int) -> Tensor:
    return torch.rand(batch, 9 * WINDOW, SIZE, SIZE, device=device()) * 2 - 1


def seconds(run: Callable[[], object], rounds: int = 3) -> float:
    """The shortest of some runs, after one that does not count."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


@pytest.mark.slow
def test_training_step(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """Forward and backward: bfloat16 autocast and channels last, as ``trainer.precision=bf16-mixed`` trains."""
    usual, ours, conditioning = (
        Usual().to(device()),
        Generator(settings=GeneratorSettings(head="tanh")).to(device()),
        images(BATCH),
    )
    last = conditioning.contiguous(memory_format=torch.channels_last)

    def step(network: nn.Module, conditioning: Tensor, half: bool) -> None:
        with torch.autocast(device().type, torch.bfloat16, enabled=half):
            loss = network(conditioning).float().abs().mean()
        loss.backward()

    before = seconds(lambda: step(usual, conditioning, half=False))
    after = benchmark.pedantic(lambda: seconds(lambda: step(ours, last, half=True)), rounds=1)
    with capsys.disabled():
        print(f"\ngenerator step, batch {BATCH}: {before:.2f} s usual, {after:.2f} s ours: {before / after:.2f} times")


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 8])
def test_synthesis(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], batch: int) -> None:
    usual, ours, conditioning = (
        Usual().eval().to(device()),
        Generator(settings=GeneratorSettings(head="tanh")).eval().to(device()),
        images(batch),
    )
    last = conditioning.contiguous(memory_format=torch.channels_last)
    ours.to_bfloat16()
    with torch.inference_mode():
        before = seconds(lambda: usual(conditioning))
        after = benchmark.pedantic(lambda: seconds(lambda: ours(last)), rounds=1)
    with capsys.disabled():
        print(f"\nbatch {batch}: {batch / before:.1f} frames/s usual, {batch / after:.1f} ours: {before / after:.2f} times")


def bare_steps(words: list[str]) -> Iterator[None]:
    """A loop over the same batches, losses and optimizer as those of a training, and nothing else; yields after every step."""
    cli = parse_config(words)
    data, module = cli.datamodule, cli.model
    data.prepare_data()
    data.setup()
    module.generator.set_base(data.base())
    optimizer = module.configure_optimizers()
    for step in count():
        if not step % len(data.train_dataloader()):
            batches = iter(data.train_dataloader())
        batch = data.augmentation(data.on_after_batch_transfer(next(batches), 0), make_generator(step))
        optimizer.zero_grad()
        terms = module.terms(batch, module(batch.conditioning, batch.base, batch.references))
        total(terms).backward()
        optimizer.step()
        del batch, terms
        yield


class Between(Callback):
    """Takes a bare step between every two steps of a training, and keeps how many seconds of a processor each took."""

    def __init__(self, steps: Iterator[None]) -> None:
        self.steps = steps
        self.bare: list[float] = []
        self.whole: list[float] = []
        self._end: float | None = None

    def on_train_batch_start(self, *_: Any) -> None:
        start = time.process_time()
        if self._end is not None:
            self.whole.append(start - self._end)
        next(self.steps)
        self._end = time.process_time()
        self.bare.append(self._end - start)


@pytest.mark.slow
def test_overhead(
    benchmark: BenchmarkFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A demo training with trainer, callbacks and logs, against a bare loop: steps of both in turn, medians."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    make_track(tmp_path / "track", size=128)
    config = Path(__file__).parents[2] / "configs" / "demo.yaml"
    words = [f"--config={config}", f"--track={tmp_path / 'track'}", f"--output={tmp_path}", f"--budget.max_batch_steps={STEPS}"]
    words += ["--trainer.accelerator=cpu", "--data.split.fractions=[0.5,0.25]"]
    training, between = parse_config(words), Between(bare_steps(words))
    training.trainer.callbacks.append(between)
    benchmark.pedantic(lambda: fit.train(training, None), rounds=1)
    bare, whole = (statistics.median(times[5 : STEPS - 1]) for times in (between.bare, between.whole))
    with capsys.disabled():
        print(f"\ndemo step: {1000 * bare:.0f} ms bare, {1000 * whole:.0f} ms in the trainer: {whole / bare - 1:+.1%}")


@pytest.mark.slow
def test_reference_frames(benchmark: BenchmarkFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A step of ``demo.yaml`` with its key frames against one that paints every pixel: bare steps in turn, medians."""
    make_track(tmp_path / "track", size=128)
    words = [f"--config={Path(__file__).parents[2] / 'configs' / 'demo.yaml'}", f"--track={tmp_path / 'track'}", "--loggers=[]"]
    words += [f"--output={tmp_path}", "--trainer.accelerator=cpu", "--data.split.fractions=[0.5,0.25]"]
    painted = ["--model.inputs.references=0", "--model.generator.head=residual"]
    steps = {"painted": bare_steps([*words, *painted]), "moved": bare_steps(words)}
    times: dict[str, list[float]] = {name: [] for name in steps}

    def run() -> None:
        for name in (*steps,) * STEPS:
            start = time.process_time()
            next(steps[name])
            times[name].append(time.process_time() - start)

    benchmark.pedantic(run, rounds=1)
    before, after = (1000 * statistics.median(times[name][3:]) for name in steps)
    with capsys.disabled():
        print(f"\ndemo step: {before:.0f} ms painted, {after:.0f} ms with key frames: {after / before:.2f} times")


class WithAndWithoutLpips(Callback):
    """Gives LPIPS its weight in every second step, and keeps how many seconds of a processor the steps of either kind took."""

    def __init__(self) -> None:
        self.without: list[float] = []
        self.with_lpips: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        assert isinstance(pl_module, ReenactModule)
        pl_module.losses = replace(pl_module.losses, lpips=10.0 if batch_idx % 2 else 0.0)
        self._start = time.process_time()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        (self.with_lpips if batch_idx % 2 else self.without).append(time.process_time() - self._start)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_lpips_loss(benchmark: BenchmarkFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str) -> None:
    """A step of ``demo.yaml`` with the perceptual loss against one without it: steps in turn, medians; at most 1.25 is wanted."""
    make_track(tmp_path / "track", size=128)
    words = [f"--config={Path(__file__).parents[2] / 'configs' / 'demo.yaml'}", f"--track={tmp_path / 'track'}", "--loggers=[]"]
    words += [f"--output={tmp_path}", f"--budget.max_batch_steps={STEPS}", "--model.losses.lpips=10"]
    words += ["--trainer.accelerator=cpu", f"--trainer.precision={precision}", "--data.split.fractions=[0.5,0.25]"]
    training, between = parse_config(words), WithAndWithoutLpips()
    training.trainer.callbacks.append(between)
    benchmark.pedantic(lambda: fit.train(training, None), rounds=1)
    before, after = (1000 * statistics.median(times[3:]) for times in (between.without, between.with_lpips))
    with capsys.disabled():
        print(f"\ndemo step in {precision}: {before:.0f} ms, {after:.0f} ms with LPIPS: {after / before:.2f} times")


class ClonedStatistics(NormStatistics):
    """The way before: every statistic is cloned by itself, and the host waits for the gradients of every batch."""

    def remember(self) -> None:
        self._clones = [buffer.clone() for group in self._groups for buffer in group]

    def restore_where(self, skipped: Tensor) -> None:
        if bool(skipped):
            for buffer, before in zip([buffer for group in self._groups for buffer in group], self._clones, strict=True):
                buffer.copy_(before)


class Alternating(Callback):
    """Keeps the statistics in either way in turn, and measures the seconds of every step."""

    def __init__(self) -> None:
        self.seconds: dict[type[NormStatistics], list[float]] = {NormStatistics: [], ClonedStatistics: []}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, ReenactModule)
        self._ways = [kind(pl_module.networks.values()) for kind in self.seconds]

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        pl_module._statistics = self._ways[batch_idx % 2]
        self._start = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.seconds[type(pl_module._statistics)].append(time.perf_counter() - self._start)


@pytest.mark.slow
@pytest.mark.parametrize("config", ["debug", "demo"])
def test_skipping_on_the_device(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], config: str) -> None:
    """A training step that neither clones every statistic nor waits for the device, against one that does: steps in turn."""
    module = make_module(yaml.safe_load((Path(__file__).parents[2] / "configs" / f"{config}.yaml").read_text())["model"])
    size, between = module.inputs.image_size, Alternating()
    nothing, frame = torch.tensor(0), torch.rand(3, size, size) * 2 - 1
    region, flow = torch.randint(4, (size, size), dtype=torch.uint8), torch.zeros(2, size, size)
    window = Window(torch.rand(module.inputs.channels, size, size), frame, region, nothing, nothing, frame, flow)
    loader: DataLoader[Window] = DataLoader([window] * 2 * STEPS * 2, 2, collate_fn=collate_windows)  # type: ignore[arg-type]
    trainer = quiet_trainer(accelerator="auto", callbacks=[between], limit_val_batches=0, log_every_n_steps=0)
    benchmark.pedantic(lambda: trainer.fit(module, loader), rounds=1)
    after, before = (1000 * statistics.median(times[5:]) for times in between.seconds.values())
    with capsys.disabled():
        print(f"\n{config} step, batch 2: {before:.2f} ms before, {after:.2f} ms after: {before / after:.3f} times")


@pytest.mark.slow
@pytest.mark.gpu
def test_the_paper_on_a_gpu(benchmark: BenchmarkFixture, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its configuration as it is shipped: what the callback ``Throughput`` logs of the second half of some hundred batches."""
    make_track(tmp_path / "track", size=SIZE)
    words = [f"--config={Path(__file__).parents[2] / 'configs' / 'paper.yaml'}", f"--track={tmp_path / 'track'}"]
    words += [f"--output={tmp_path}", "--loggers=[csv]", "--data.split.fractions=[0.5,0.25]", "--budget.max_batch_steps=200"]
    run = benchmark.pedantic(lambda: fit.run_fit(words), rounds=1)
    curves = joined_curves(run.metrics)
    speed, waiting, used = (
        statistics.median(value for step, value in curves[f"throughput/{name}"].items() if step > 100)
        for name in ("windows_per_second", "data_wait", "mfu" if "throughput/mfu" in curves else "tflops")
    )
    with capsys.disabled():
        print(
            f"\n{speed / 16:.1f} steps of 16/s, data wait {waiting:.1%}, {used:.3g} of the device's peak (or 10^12 operations/s)"
        )


@pytest.mark.slow
def test_two_ranks(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """Two gloo processes of one thread each, against one process of two threads: the median step of the same global batch."""

    def step(ranks: int, threads: int) -> float:
        root, script = Path(__file__).parents[2], Path(__file__).with_name("train_on_ranks.py")
        environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": str(threads)}
        words = [sys.executable, str(script), str(ranks), "8", "8"]
        done = subprocess.run(words, cwd=root, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return float(done.stdout.split()[-1])

    before = step(ranks=1, threads=2)
    after = benchmark.pedantic(lambda: step(ranks=2, threads=1), rounds=1)
    with capsys.disabled():
        print(f"\nstep of a batch of 8: {before:.2f} s in one process, {after:.2f} s in two: {before / after:.2f} times")
