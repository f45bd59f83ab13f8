"""Learning rate of every batch, by hand and in a training."""

from __future__ import annotations

import math

import pytest

from lit_reenact.callbacks import BatchBudget, LearningRateSchedule
from lit_reenact.core.errors import ReenactError
from tests.factories import make_module
from tests.lit_reenact.training.test_module import SMALL, Recorder, Windows, quiet_trainer


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (LearningRateSchedule("constant"), {0: 1, 5: 1, 9: 1}),
        (LearningRateSchedule("linear"), {0: 1, 5: 1, 6: 0.8, 9: 0.2, 10: 0}),
        (LearningRateSchedule("linear", hold=0), {0: 1, 1: 0.9, 9: 0.1}),
        (LearningRateSchedule("linear", hold=1), {0: 1, 9: 1}),
        (LearningRateSchedule("cosine", hold=0), {0: 1, 5: 0.5, 9: (1 + math.cos(0.9 * math.pi)) / 2}),
        (LearningRateSchedule("linear", warm_up=3), {0: 0.25, 1: 0.5, 2: 0.75, 3: 1, 6: 0.8}),
        (LearningRateSchedule("linear"), {11: 0}),  # past the budget
    ],
)
def test_a_budget_of_ten_batches(schedule: LearningRateSchedule, expected: dict[int, float]) -> None:
    for batch, factor in expected.items():
        assert schedule.factor(batch, 10) == pytest.approx(factor), batch


def test_both_networks_train_at_the_rate_that_is_logged() -> None:
    module = make_module(SMALL, optimizer={"learning_rate": 0.01})
    recorder = Recorder()
    trainer = quiet_trainer(callbacks=[LearningRateSchedule("linear", hold=0), BatchBudget(6), recorder], max_epochs=-1)
    trainer.fit(module, Windows())
    assert [logged["learning_rate"] for logged in recorder.logged] == pytest.approx(
        [0.01 * left / 6 for left in (6, 5, 4, 3, 2, 1)]
    )
    assert [group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups] == pytest.approx([0.01 / 6] * 2)


def test_a_schedule_that_falls_needs_a_budget() -> None:
    with pytest.raises(ReenactError, match="needs the callback BatchBudget"):
        quiet_trainer(callbacks=[LearningRateSchedule("linear")]).fit(make_module(SMALL), Windows())


@pytest.mark.parametrize("settings", [{"kind": "exponential"}, {"warm_up": -1}, {"hold": 1.5}])
def test_invalid_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ReenactError, match="schedule"):
        LearningRateSchedule(**settings)  # type: ignore[arg-type]
