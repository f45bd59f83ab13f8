"""Script that trains and tests on several processes and writes down the windows they saw; Lightning starts it again on each.

Arguments: the folder of a synthetic track, the number of processes, and the JSON file to write.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import lit_reenact  # noqa: F401  (first: it keeps torchvision importable)

import torch  # isort: skip
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything  # isort: skip

from lit_reenact.callbacks import FrameMetrics
from lit_reenact.core.schema import Window
from tests.factories import make_data, make_module, make_trainer

GLOBAL_BATCH = 8


class Numbers(Callback):
    """Callback that records the windows of every batch, rank by rank."""

    def __init__(self) -> None:
        self.trained: list[list[int]] = []
        self.tested: list[int] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Window, *_: Any) -> None:
        self.trained.append(trainer.strategy.all_gather(batch.number).flatten().tolist())  # type: ignore[union-attr]

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Window, *_: Any) -> None:
        self.tested += batch.number.tolist()


def main(folder: Path, ranks: int, output: Path) -> None:
    seed_everything(3, verbose=False)
    numbers = Numbers()
    trainer = make_trainer(
        output.parent,
        numbers,
        FrameMetrics(),
        devices=ranks,
        strategy="ddp" if ranks > 1 else "auto",
        max_epochs=2,
        limit_val_batches=0,
        use_distributed_sampler=False,
        enable_checkpointing=False,
    )
    data = make_data(folder, batch_size=GLOBAL_BATCH // ranks, balance=True)
    trainer.fit(make_module(), data)
    torch.manual_seed(0)
    module = make_module(generator={"norm": "instance"})
    torch.nn.init.normal_(module.generator.to_frame.weight)
    (metrics,) = trainer.test(module, data, verbose=False)
    tested = [numbers.tested]
    if ranks > 1:
        tested = [[]] * ranks
        torch.distributed.all_gather_object(tested, numbers.tested)
    if trainer.is_global_zero:
        output.write_text(json.dumps({"trained": numbers.trained, "tested": tested, "metrics": metrics}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
