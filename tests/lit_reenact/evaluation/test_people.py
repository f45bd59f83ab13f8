"""The hierarchical bootstrap: against known truth, and where its answer can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from lit_reenact.evaluation.people import Runs, summarise_people
from lit_reenact.evaluation.statistics import summarise

TRUTH = 0.3


def level(value: float, frames: int = 40) -> Tensor:
    return torch.full((frames,), value, dtype=torch.float64)


def noise(frames: int, seed: int, mean: float = 0.0) -> Tensor:
    drawn = torch.randn(frames, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn - drawn.mean() + mean


def rates(runs: Runs, fps: float = 5.0) -> dict[str, float]:
    return dict.fromkeys(runs, fps)


def test_one_person_is_the_comparison_on_one_clip_to_the_last_bit() -> None:
    ours, full = ([noise(120, seed=base + seed, mean=7) for seed in range(3)] for base in (0, 10))
    expected = summarise("l1", ours, full, 5.0)
    assert summarise_people("l1", {"anna": dict(enumerate(ours))}, {"anna": dict(enumerate(full))}, {"anna": 5.0}) == expected
    assert summarise_people("l1", {"anna": dict(enumerate(ours))}, None, {"anna": 5.0}) == summarise("l1", ours, None, 5.0)


def test_where_only_people_differ_the_interval_is_that_of_a_paired_t_test() -> None:
    ours, full = [7.1, 7.5, 6.9, 8.4], [6.2, 6.9, 6.4, 8.3]
    runs, reference = (
        {str(number): {0: level(value), 1: level(value)} for number, value in enumerate(side)} for side in (ours, full)
    )
    found = summarise_people("l1", runs, reference, rates(runs))
    expected = stats.ttest_rel(ours, full).confidence_interval(0.95)
    assert found.difference == pytest.approx((np.mean(ours) - np.mean(full), expected.low, expected.high))
    assert found.mean.value == pytest.approx(np.mean(ours))
    assert found.deviation == pytest.approx(np.std(ours, ddof=1))
    assert [one.mean.value for one in found.people.values()] == pytest.approx(ours)
    assert [one.difference.value for one in found.people.values() if one.difference] == pytest.approx(np.subtract(ours, full))


def test_where_people_agree_the_interval_is_that_of_one_person_over_the_root_of_their_number() -> None:
    ours, full = noise(120, seed=1, mean=8.0), level(7.0, 120)
    alone = summarise("l1", [ours], None, 5.0).mean
    runs = {name: {0: ours} for name in "abcd"}
    found = summarise_people("l1", runs, {name: {0: full} for name in "abcd"}, rates(runs)).difference
    assert found is not None
    assert found.value == pytest.approx(1.0)
    assert found.high - found.low == pytest.approx((alone.high - alone.low) / 2, rel=0.1)


def test_equal_configurations_differ_by_exactly_nothing() -> None:
    runs = {name: {seed: noise(60, seed=10 * number + seed) for seed in range(3)} for number, name in enumerate("abc")}
    assert summarise_people("l1", runs, runs, rates(runs)).difference == (0.0, 0.0, 0.0)
    pairs = {name: {seed: torch.stack([run + 9, run + 8], 1) for seed, run in seeds.items()} for name, seeds in runs.items()}
    assert summarise_people("flicker", pairs, pairs, rates(pairs)).difference == (0.0, 0.0, 0.0)


def test_hard_frames_and_hard_people_cancel_out() -> None:
    """A difference is the same on every frame, whatever the frame's difficulty: its interval has no width."""
    reference = {name: {0: noise(60, seed=number, mean=20.0 * number)} for number, name in enumerate("abc")}
    runs = {name: {0: seeds[0] - 0.5} for name, seeds in reference.items()}
    found = summarise_people("l1", runs, reference, rates(runs))
    assert found.difference == pytest.approx((-0.5, -0.5, -0.5))
    assert found.mean.high - found.mean.low > 20  # the people are far apart


def test_a_ratio_is_taken_of_each_person_before_the_mean() -> None:
    pairs = {"a": torch.tensor([[2.0, 1.0], [4.0, 3.0]]), "b": torch.tensor([[1.0, 1.0], [1.0, 1.0]])}  # |3 / 2 - 1| and 0
    runs = {name: {0: pair.repeat(20, 1)} for name, pair in pairs.items()}
    assert summarise_people("flicker", runs, None, rates(runs)).mean.value == pytest.approx(0.25)


def test_only_runs_of_both_sides_are_compared() -> None:
    runs = {"a": {0: level(1.0), 1: level(2.0)}, "b": {0: level(3.0)}, "c": {0: level(99.0)}}
    reference = {"a": {1: level(1.5)}, "b": {0: level(2.5), 1: level(7.0)}}
    found = summarise_people("l1", runs, reference, rates(runs))
    assert list(found.people) == ["a", "b"]
    assert found.mean.value == pytest.approx(2.5)
    assert found.difference == pytest.approx((0.5, 0.5, 0.5))
    with pytest.raises(ValueError, match="no run of l1"):
        summarise_people("l1", {"c": {0: level(1.0)}}, reference, {"c": 25.0})


def test_a_person_without_a_value_is_left_out_of_the_mean() -> None:
    runs = {"a": {0: level(1.0)}, "b": {0: level(3.0)}, "blank": {0: level(math.nan)}}
    found = summarise_people("l1", runs, None, rates(runs))
    assert found.mean.value == 2.0
    assert math.isnan(found.people["blank"].mean.value)


@pytest.mark.parametrize(("people", "of_people"), [(5, 0.0), (5, 0.17), (5, 0.6), (3, 0.3)])
def test_intervals_hold_the_truth_as_often_as_they_say(people: int, of_people: float) -> None:
    """People, hard frames and lucky trainings, all drawn again 100 times; the true difference of other people is ``TRUTH``."""
    drawn, inside, rounds = np.random.default_rng(0), 0, 100
    for _ in range(rounds):
        runs: dict[str, dict[int, Tensor]] = {}
        reference: dict[str, dict[int, Tensor]] = {}
        for person in map(str, range(people)):
            hard, gain = drawn.normal(5, 1, 48) + drawn.normal(0, 2), TRUTH + drawn.normal(0, of_people)
            for side, shift in ((runs, gain), (reference, 0.0)):
                series = [hard + shift + drawn.normal(0, 0.2) + drawn.normal(0, 0.3, 48) for _ in range(2)]
                side[person] = dict(enumerate(map(torch.tensor, series)))
        found = summarise_people("l1", runs, reference, rates(runs, 4.0)).difference
        assert found is not None
        inside += found.low <= TRUTH <= found.high
    assert 0.9 <= inside / rounds <= 0.99
