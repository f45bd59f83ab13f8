"""Trains on two processes and fails if their weights part; a script, because Lightning starts the second process from it."""

from __future__ import annotations

from typing import Any

import lit_reenact  # noqa: F401  (first: it keeps torchvision importable)

import torch  # isort: skip
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything  # isort: skip

from lit_reenact.module import ReenactModule
from tests.lit_reenact.test_module import SMALL, Windows, quiet_trainer


class SameOnBothRanks(Callback):
    """Compares the two processes after every batch."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        weights = torch.cat([value.detach().flatten() for value in pl_module.parameters()])
        first, second = trainer.strategy.all_gather(weights)  # type: ignore[misc]
        assert torch.equal(first, second)
        losses = trainer.strategy.all_gather(trainer.callback_metrics["loss/l1"])
        assert losses[0] != losses[1]  # they did see different batches


def main(lambda_adversarial: float) -> None:
    seed_everything(0, verbose=False)
    module = ReenactModule(**SMALL, lambda_adversarial=lambda_adversarial)
    before = module.generator.to_frame.weight.detach().clone()
    trainer = quiet_trainer(devices=2, strategy="ddp", limit_val_batches=0, callbacks=[SameOnBothRanks()])
    trainer.fit(module, Windows(count=12))
    assert module.batch_step == 3
    assert not torch.equal(module.generator.to_frame.weight, before)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(lambda_adversarial=1.0)
    main(lambda_adversarial=0.0)
