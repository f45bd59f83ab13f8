"""Logged values computed by hand, the conditions of a warning, and the refusal to save broken weights."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_reenact.callbacks import BatchBudget, BatchStepCheckpoint, ExponentialMovingAverage, TrainingHealth
from lit_reenact.callbacks.base import Callback, Trainer
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import Window
from lit_reenact.training.module import ReenactModule
from tests.factories import make_module, make_trainer
from tests.lit_reenact.training.test_module import Recorder, Windows


class Scripted(TrainingHealth):
    """Callback that sees scripted outputs of each batch instead of the networks' own."""

    def __init__(self, outputs: list[dict[str, Tensor]], patience: int) -> None:
        super().__init__(patience)
        self.outputs = outputs

    def on_train_batch_end(self, trainer: Trainer, pl_module: ReenactModule, outputs: Any, batch: Window, batch_idx: int) -> None:
        super().on_train_batch_end(trainer, pl_module, self.outputs[pl_module.batch_step - 1], batch, batch_idx)


def frames(*levels: float) -> Tensor:
    """Return one grey frame for each level."""
    return torch.tensor(levels)[:, None, None, None].expand(-1, 3, 4, 4)


def play(
    folder: Path, outputs: list[dict[str, Tensor]], patience: int = 30, resume: Path | None = None
) -> tuple[list[dict[str, float]], list[str]]:
    """Train with scripted outputs, and return the logged values and the warnings."""
    recorder = Recorder()
    callbacks = [Scripted(outputs, patience), recorder, BatchBudget(len(outputs)), BatchStepCheckpoint()]
    trainer = make_trainer(folder, *callbacks, limit_val_batches=0, log_every_n_steps=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(make_module(), Windows(), ckpt_path=resume, weights_only=True)
    return recorder.logged, [str(one.message) for one in caught if "batch step" in str(one.message)]


FAIR = {"logits_real": torch.tensor([1.0, 3.0, -1.0, 1.0]), "logits_fake": torch.tensor([-2.0, 1.0, 1.0, 4.0])}
MOVING = {"real": frames(-0.5, 0.5), "fake": frames(-0.25, 0.25)}


def test_balance_of_the_gan_by_hand(tmp_path: Path) -> None:
    (logged,), warned = play(tmp_path, [FAIR | MOVING])
    assert {name: value for name, value in logged.items() if name.startswith("health/")} == pytest.approx(
        {"health/logit_real": 1.0, "health/logit_fake": 1.0, "health/discriminator_accuracy": 0.5, "health/variation": 0.25}
    )
    assert not warned


def test_a_lasting_imbalance_leads_to_one_warning(tmp_path: Path) -> None:
    lost = MOVING | {"logits_real": torch.ones(4), "logits_fake": -torch.ones(4)}
    fair = FAIR | MOVING
    _, warned = play(tmp_path, [lost, lost, fair, lost, lost, lost, lost, lost], patience=3)
    (sentence,) = warned
    assert sentence.startswith("batch step 6: 3 times in a row the discriminator classified 98% or more")
    assert "model.losses.r1" in sentence


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_a_resumed_training_is_as_patient(tmp_path: Path, stop: int) -> None:
    """The warning comes at the same batch step as without the stop, and once."""
    lost = MOVING | {"logits_real": torch.ones(4), "logits_fake": -torch.ones(4)}
    _, before = play(tmp_path, [lost] * stop, patience=3)
    _, after = play(tmp_path, [lost] * 5, patience=3, resume=tmp_path / "checkpoints" / "last.ckpt")
    (sentence,) = before + after
    assert sentence.startswith("batch step 3: 3 times in a row")


def test_a_collapsed_generator_leads_to_a_warning(tmp_path: Path) -> None:
    still = {"real": frames(-0.5, 0.5), "fake": frames(0.1, 0.1)}
    lone = {"real": frames(0.5), "fake": frames(0.1)}
    logged, warned = play(tmp_path, [still, lone, still, MOVING], patience=2)
    (sentence,) = warned
    assert sentence.startswith("batch step 3: 2 times in a row the generated frames of a batch were almost the same")
    assert logged[0]["health/variation"] == 0


class Break(Callback):
    """Callback that sets one weight to NaN after a batch."""

    def __init__(self, network: str, batch: int) -> None:
        self.network, self.batch = network, batch

    def on_train_batch_end(self, trainer: Trainer, pl_module: ReenactModule, *_: Any) -> None:
        if pl_module.batch_step == self.batch:
            with torch.no_grad():
                next(getattr(pl_module, self.network).parameters())[0, 0, 0, 0] = float("nan")


@pytest.mark.parametrize(("network", "log_every_n_steps"), [("generator", 1), ("discriminator", 1000)])
def test_a_broken_network_ends_the_training_and_is_not_saved(tmp_path: Path, network: str, log_every_n_steps: int) -> None:
    """Broken weights are found when values are logged, or at the latest when a checkpoint is due."""
    callbacks = [ExponentialMovingAverage(), Break(network, 3), TrainingHealth(), BatchStepCheckpoint(every_n_batches=2)]
    settings = {"limit_val_batches": 0, "log_every_n_steps": log_every_n_steps}
    trainer = make_trainer(tmp_path, *callbacks, BatchBudget(5), **settings)
    with pytest.raises(ReenactError, match=rf"{network}\..* is not finite after batch step [34].*last\.ckpt is intact"):
        trainer.fit(make_module(), Windows(count=40))
    saved = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["batch_step"] == 2
    states = [saved["state_dict"], saved["generator_ema"]]
    assert all(value.isfinite().all() for state in states for value in state.values())
    assert {file.name for file in (tmp_path / "checkpoints").iterdir()} == {"last.ckpt"}


def test_nothing_was_saved_yet(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, Break("generator", 1), TrainingHealth(), BatchBudget(2), log_every_n_steps=1)
    with pytest.raises(ReenactError, match=r"nothing was saved; choose a lower model\.optimizer\.learning_rate"):
        trainer.fit(make_module(), Windows())


def test_the_module_provides_the_outputs_to_watch(tmp_path: Path) -> None:
    """The outputs are there with micro-batches too."""
    recorder = Recorder()
    module = make_module(optimizer={"micro_batches": 2, "learning_rate": 0.0}, generator={"norm": "none"})
    trainer = make_trainer(tmp_path, TrainingHealth(), recorder, BatchBudget(2), limit_val_batches=0, log_every_n_steps=1)
    trainer.fit(module, Windows(batch_size=4, count=8))
    assert {"health/logit_real", "health/logit_fake", "health/discriminator_accuracy", "health/variation"} <= set(
        recorder.logged[-1]
    )
