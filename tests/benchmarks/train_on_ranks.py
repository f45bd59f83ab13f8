"""``train_on_ranks.py RANKS BATCH STEPS`` prints the median seconds of a step; a script, as Lightning starts ranks from it."""

from __future__ import annotations

import statistics
import sys
import time
from itertools import pairwise
from typing import Any

import lit_reenact  # noqa: F401  (first: it keeps torchvision importable)

import torch  # isort: skip
from lightning.pytorch import Callback, Trainer  # isort: skip
from torch.utils.data import DataLoader

from lit_reenact.core.schema import Window
from lit_reenact.losses.settings import LossSettings
from lit_reenact.networks.settings import GeneratorSettings, InputSettings
from lit_reenact.training.module import ReenactModule
from tests.factories import collate_windows
from tests.lit_reenact.training.test_module import quiet_trainer

SIZE, WINDOW = 128, 11


class Clock(Callback):
    """When each batch was done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.times.append(time.perf_counter())


def one_window() -> Window:
    frame, nothing = torch.rand(3, SIZE, SIZE) * 2 - 1, torch.tensor(0)
    region = torch.randint(4, (SIZE, SIZE), dtype=torch.uint8)
    return Window(torch.rand(9 * WINDOW, SIZE, SIZE) * 2 - 1, frame, region, nothing, nothing, frame, torch.zeros(2, SIZE, SIZE))


def main(ranks: int, batch: int, steps: int) -> None:
    """``batch`` is that of all ranks together."""
    module = ReenactModule(
        InputSettings(image_size=SIZE),
        GeneratorSettings(channels=32, levels=5, max_channels=256, norm="instance"),
        losses=LossSettings(lpips=0.0),
    )
    module.generator.set_base(torch.full((3, SIZE, SIZE), 0.25))
    loader: DataLoader[Window] = DataLoader([one_window()] * (steps * batch // ranks), batch // ranks, collate_fn=collate_windows)  # type: ignore[arg-type]
    clock, settings = Clock(), {"strategy": "ddp", "use_distributed_sampler": False} if ranks > 1 else {}
    trainer: Trainer = quiet_trainer(devices=ranks, callbacks=[clock], limit_val_batches=0, **settings)
    trainer.fit(module, loader)
    if trainer.is_global_zero:
        print(statistics.median(b - a for a, b in pairwise(clock.times[1:])))


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
