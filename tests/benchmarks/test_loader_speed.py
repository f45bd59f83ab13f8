"""Windows per second against the usual research loader, and their cost beside a training step; printed, never failing on time.

The usual loader opens a PNG for every frame and every conditioning image with Pillow, makes floats of them and stacks them: 34
files a window of 11 frames.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lit_reenact.core.schema import FrameImages, Runs
from lit_reenact.core.split import SplitSettings
from lit_reenact.datamodules import TrackDataModule
from lit_reenact.datamodules.loading import LoadingSettings, Rendering
from lit_reenact.networks.generator import Generator
from lit_reenact.networks.settings import GeneratorSettings, InputSettings
from tests.factories import make_track

SIZE, WINDOW, BATCH, FRAMES = 256, 11, 16, 120
ROUNDS = 5


class PngWindows(Dataset[tuple[Tensor, Tensor]]):
    """What is usual: a file for each image."""

    def __init__(self, folder: Path, numbers: list[int]) -> None:
        self.folder = folder
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        number = self.numbers[position]
        shown = [max(0, frame) for frame in range(number - WINDOW + 1, number + 1)]
        images = [self._open(f"{frame}-{kind}.png") for frame in shown for kind in range(3)]
        return torch.cat(images), self._open(f"{number}-frame.png")

    def _open(self, name: str) -> Tensor:
        with Image.open(self.folder / name) as image:
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        return pixels.float().div_(127.5).sub_(1)


def make_data(folder: Path, workers: int = 0, rendering: Rendering = "cache") -> TrackDataModule:
    return TrackDataModule(
        str(folder),
        InputSettings(image_size=SIZE, window=WINDOW),
        BATCH,
        balance=False,
        split=SplitSettings((0.6, 0.2)),
        loading=LoadingSettings(workers=workers, rendering=rendering),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speed")
    make_track(folder, FRAMES, SIZE)
    return folder


@pytest.fixture(scope="module")
def first_epoch(folder: Path) -> float:
    """Seconds a clip frame that are spent before, or in, the first epoch alone."""
    data = make_data(folder)
    start = time.perf_counter()
    data.prepare_data()
    return (time.perf_counter() - start) / FRAMES


@pytest.fixture(scope="module")
def png_windows(folder: Path, first_epoch: float) -> PngWindows:
    data = make_data(folder)
    data.setup()
    runs = data.train_dataset.__getitems__(list(range(len(data.train_dataset))))
    assert isinstance(runs.images, FrameImages)
    images = folder / "png"
    images.mkdir()
    for number, (conditioning, frame) in enumerate(zip(runs.images.conditioning, runs.frame, strict=True)):
        for kind, image in enumerate(conditioning.split(3)):  # type: ignore[no-untyped-call]
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(images / f"{number}-{kind}.png")
        Image.fromarray(frame.permute(1, 2, 0).numpy()).save(images / f"{number}-frame.png")
    return PngWindows(images, data.train_dataset.number.tolist())


def seconds(batches: Iterable[Any], rounds: int) -> float:
    """A window, in the fastest of some passes."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        windows = 0
        for batch in batches:
            windows += len(batch[1])
            del batch  # as in a training, where it is gone before the next one is made
        times.append((time.perf_counter() - start) / windows)
    return min(times)


class Ready:
    """Passes over batches that are ready for the generator."""

    def __init__(self, data: TrackDataModule, loader: DataLoader[Runs]) -> None:
        self.data = data
        self.loader = loader

    def __iter__(self) -> Iterator[Any]:
        return (self.data.on_after_batch_transfer(batch, 0) for batch in self.loader)


def say(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


@pytest.mark.parametrize("workers", [0, 2])
def test_windows(
    benchmark: BenchmarkFixture, folder: Path, png_windows: PngWindows, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_data(folder, workers)
    data.setup()
    loader = data.train_dataloader()
    window, (image, frame) = data.on_after_batch_transfer(data.train_dataset[30], 0), png_windows[30]
    assert torch.equal(window.conditioning[0], image)  # both load the same
    assert torch.equal(window.frame[0], frame)
    benchmark.pedantic(seconds, (loader, 1), rounds=1)
    if benchmark.stats is None:  # --benchmark-disable
        return
    handed_over, ready = seconds(loader, ROUNDS), seconds(Ready(data, loader), ROUNDS)
    usual = DataLoader(png_windows, BATCH, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=workers > 0)
    png = seconds(usual, 2)
    benchmark.extra_info |= {"handed_over": png / handed_over, "ready": png / ready}
    say(
        capsys,
        f"{workers} workers, ms a window: PNG files {1000 * png:.1f}; handed over {1000 * handed_over:.2f}, "
        f"{png / handed_over:.0f} times as fast; ready for the generator {1000 * ready:.2f}, {png / ready:.1f} times as fast",
    )


@pytest.mark.parametrize("rendering", ["cache", "worker", "device"])
def test_rendering(
    benchmark: BenchmarkFixture, folder: Path, first_epoch: float, rendering: Rendering, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the conditioning images are rendered: everything in this process."""
    data = make_data(folder, rendering=rendering)
    data.setup()
    ready = Ready(data, data.train_dataloader())
    if benchmark.disabled:
        assert len(next(iter(ready)).conditioning) == BATCH
        return
    benchmark.pedantic(seconds, (ready, 1), rounds=1)
    say(capsys, f"rendering {rendering}: {1000 * seconds(ready, 2):.2f} ms a window ready for the generator")


def test_beside_the_training(
    benchmark: BenchmarkFixture, folder: Path, first_epoch: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Waiting for data, at worst (nothing is loaded ahead), as a share of a forward and a backward pass of a small generator."""
    data = make_data(folder)
    data.setup()
    batch = data.on_after_batch_transfer(data.train_dataset.__getitems__([20, 21]), 0)
    generator = Generator(
        InputSettings(image_size=SIZE, window=WINDOW), GeneratorSettings(channels=32, levels=5, max_channels=256)
    )

    def step() -> None:
        (generator(batch.conditioning) - batch.frame).abs().mean().backward()

    benchmark.pedantic(step, rounds=3, warmup_rounds=1)
    if benchmark.stats is None:
        return
    spent = benchmark.stats.stats.min / len(batch.frame)
    wait = seconds(Ready(data, data.train_dataloader()), ROUNDS)
    say(
        capsys,
        f"a window: data {1000 * wait:.2f} ms, generator {1000 * spent:.0f} ms, {100 * wait / spent:.1f} %; "
        f"the first epoch adds {1000 * first_epoch:.1f} ms a clip frame",
    )
