"""Trains on two processes and fails where they differ from one; a script, because Lightning starts the second from it."""

from __future__ import annotations

from typing import Any

import lit_reenact  # noqa: F401  (first: it keeps torchvision importable)

import torch  # isort: skip
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything  # isort: skip
from torch.utils.data import DataLoader

from lit_reenact.callbacks.frame_metrics import FrameMetrics
from lit_reenact.core.schema import Window
from lit_reenact.datamodules.sampler import held_out_batches
from lit_reenact.metrics import psnr
from lit_reenact.training.module import ReenactModule
from lit_reenact.training.objective import total
from tests.factories import collate_windows, make_module
from tests.lit_reenact.training.test_module import SMALL, Windows, quiet_trainer


class Shared(Windows):
    """Training in batches of four, two a process; seven windows to validate on, so that their shares differ.

    The first process sees no face in its third batch.
    """

    def __init__(self, count: int) -> None:
        super().__init__(count)
        for index in (8, 9):
            self.windows[index] = self.windows[index]._replace(region=torch.zeros(32, 32, dtype=torch.uint8))

    def train_dataloader(self) -> DataLoader[Window]:
        rank, ranks = self._place()
        batches = [list(range(4 * k + 4 * rank // ranks, 4 * k + 4 * (rank + 1) // ranks)) for k in range(4)]
        return DataLoader(self.windows, batch_sampler=batches, collate_fn=collate_windows)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Window]:
        rank, ranks = self._place()
        return DataLoader(self.windows, batch_sampler=held_out_batches(7, 2, rank, ranks), collate_fn=collate_windows)  # type: ignore[arg-type]

    def _place(self) -> tuple[int, int]:
        assert self.trainer is not None
        return self.trainer.global_rank, self.trainer.world_size


class SameOnBothRanks(Callback):
    """Compares the two processes after every batch, and the first gradients with those of one process."""

    def __init__(self, expected: list[torch.Tensor]) -> None:
        self.expected = expected

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        weights = torch.cat([value.detach().flatten() for value in pl_module.parameters()])
        first, second = trainer.strategy.all_gather(weights)  # type: ignore[misc]
        assert torch.equal(first, second)
        losses = trainer.strategy.all_gather(trainer.callback_metrics["loss/l1"])
        assert losses[0] != losses[1]  # they did see different batches
        if trainer.global_step == 1:
            for weight, gradient in zip(pl_module.parameters(), self.expected, strict=True):
                assert weight.grad is not None
                assert torch.allclose(weight.grad, gradient, rtol=1e-3, atol=1e-6)


def seeded_module(generator: dict[str, Any] | None = None, **groups: Any) -> ReenactModule:
    seed_everything(0, verbose=False)
    module = make_module(SMALL, generator={"norm": "instance", "dropout": 0.0, "levels": 4, **(generator or {})}, **groups)
    module.actors = 2  # only one of them is ever seen
    module.setup("fit")
    module.generator.set_base(Windows().mean_frame())
    return module


def gradients_of_one(**groups: Any) -> list[torch.Tensor]:
    """Return the gradients of one process over the first four windows."""
    module = seeded_module(**{**groups, "optimizer": {"micro_batches": 1}})
    batch = collate_windows(Windows(count=16).windows[:4])
    total(module.terms(batch, module(batch.conditioning, actor=batch.actor))).backward()  # type: ignore[no-untyped-call]
    return [weight.grad for weight in module.parameters() if weight.grad is not None]


def main(**groups: Any) -> None:
    module = seeded_module(**groups)
    metrics = FrameMetrics()
    callbacks = [SameOnBothRanks(gradients_of_one(**groups)), metrics]
    settings = {"devices": 2, "strategy": "ddp", "use_distributed_sampler": False, "num_sanity_val_steps": 0}
    trainer = quiet_trainer(**settings, max_epochs=5, callbacks=callbacks)
    trainer.fit(module, Shared(count=16))
    assert module.batch_step == 20

    module.eval()
    held_out = collate_windows(Windows(count=16).windows[:7])
    with torch.no_grad():
        made = (module(held_out.conditioning) + 1) / 2
    logged = trainer.callback_metrics["val/psnr"]
    assert torch.isclose(logged, psnr(made, (held_out.frame + 1) / 2).mean(), rtol=1e-5)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(losses={"feature_matching": 1.0}, optimizer={"micro_batches": 2})
    main(losses={"adversarial": 0.0}, generator={"texture_channels": 2})
    main(
        losses={"mouth_adversarial": 1.0, "eyes_adversarial": 1.0, "feature_matching": 1.0},
        discriminator={"layers": 2, "scales": 2},
    )
