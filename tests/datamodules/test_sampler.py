"""Batches of an epoch, for one process and for several."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import pytest
import torch

from lit_reenact.datamodules.sampler import RunSampler, held_out_batches

STRETCHES = [range(57), range(57, 60), range(60, 131)]


def runs_of(batch: list[int]) -> list[list[int]]:
    """Divide a batch into pieces that each count up by one."""
    runs = [[batch[0]]]
    for window in batch[1:]:
        if window == runs[-1][-1] + 1:
            runs[-1].append(window)
        else:
            runs.append([window])
    return runs


def sampler(epoch: int = 0, stretches: list[range] = STRETCHES, batch_size: int = 16, **settings: Any) -> RunSampler:
    epoch_sampler = RunSampler(stretches, batch_size, **settings)
    epoch_sampler.epoch = epoch
    return epoch_sampler


@pytest.mark.parametrize("run_length", [None, 1, 3, 16])
def test_an_epoch_has_every_window_once_except_for_an_incomplete_batch(run_length: int | None) -> None:
    batches = list(sampler(run_length=run_length))
    assert [len(batch) for batch in batches] == [16] * 8
    windows = [window for batch in batches for window in batch]
    assert len(set(windows)) == len(windows) == 128
    assert set(windows) <= set(range(131))


def test_the_windows_left_out_change_with_the_epoch() -> None:
    left_out = [set(range(131)).difference(*sampler(epoch)) for epoch in range(50)]
    assert all(len(windows) == 3 for windows in left_out)
    assert len(set.union(*left_out)) > 60


def test_a_batch_mixes_runs_and_a_run_stays_in_its_stretch() -> None:
    for epoch in range(20):
        for batch in sampler(epoch):
            assert len(runs_of(batch)) >= 4 or any(len(run) > 4 for run in runs_of(batch))  # two runs may meet by chance
            assert len(batch) == 16
    epoch_sampler = sampler()
    for run in epoch_sampler._runs(torch.Generator().manual_seed(0)):
        assert 1 <= len(run) <= 4
        assert any(stretch.start <= run.start and run.stop <= stretch.stop for stretch in STRETCHES)


def test_most_windows_share_their_run() -> None:
    lengths = Counter(len(run) for batch in sampler() for run in runs_of(batch))
    assert lengths[4] >= 20
    assert Counter(len(run) for batch in sampler(run_length=1) for run in runs_of(batch))[1] > 100


def test_order_and_borders_depend_on_seed_and_epoch_alone() -> None:
    first = list(sampler(3, seed=7))
    torch.manual_seed(99)
    state = torch.get_rng_state()
    assert list(sampler(3, seed=7)) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert list(sampler(4, seed=7)) != first
    assert list(sampler(3, seed=8)) != first
    starts = [{run.start % 4 for run in sampler()._runs(torch.Generator().manual_seed(seed))[1:10]} for seed in range(8)]
    assert len(set.union(*starts)) == 4


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_processes_share_the_same_global_batches(ranks: int, weighted: bool) -> None:
    settings: dict[str, Any] = {"seed": 1}
    if weighted:
        settings |= {"weights": torch.rand(131) + 0.1, "actor": (torch.arange(131) >= 60).long()}
    alone = list(sampler(2, batch_size=12, **settings))
    shares = [list(sampler(2, batch_size=12, rank=rank, ranks=ranks, **settings)) for rank in range(ranks)]
    assert [list(chain(*together)) for together in zip(*shares, strict=True)] == alone
    assert {len(batch) for share in shares for batch in share} == {12 // ranks}


def test_too_few_windows_make_one_batch() -> None:
    assert sorted(*sampler(stretches=[range(5)])) == list(range(5))


def test_it_can_start_in_the_middle_of_an_epoch() -> None:
    epoch_sampler = sampler(1)
    whole = list(epoch_sampler)
    epoch_sampler.start = 5
    assert list(epoch_sampler) == whole[5:]
    assert len(epoch_sampler) == 8


def test_runs_are_drawn_by_their_mean_weight() -> None:
    """Windows of weight 3 come three times as often as those of weight 1, whatever the lengths of their runs."""
    weights = torch.where(torch.arange(1300) < 650, 1.0, 3.0)
    count = Counter(
        window >= 650
        for epoch in range(20)
        for batch in sampler(epoch, [range(650), range(650, 1300)], weights=weights, actor=torch.zeros(1300).long())
        for window in batch
    )
    assert count[True] / count[False] == pytest.approx(3.0, rel=0.1)


def test_actors_have_equal_shares_however_long_their_clips_are() -> None:
    actor = (torch.arange(131) >= 60).long()
    weights = torch.ones(131)
    weights[100] = 5.0
    windows = torch.tensor([w for batch in sampler(weights=weights, actor=actor, batch_size=131) for w in batch])
    assert abs(int((actor[windows] == 0).sum()) - 65) <= 1


@pytest.mark.parametrize(
    ("windows", "batch_size", "ranks"), [(25, 4, 1), (25, 7, 2), (25, 1, 2), (9, 8, 2), (3, 16, 3), (16, 8, 2)]
)
def test_held_out_windows_are_seen_once_by_one_process(windows: int, batch_size: int, ranks: int) -> None:
    shares = [held_out_batches(windows, batch_size, rank, ranks) for rank in range(ranks)]
    assert [window for share in shares for batch in share for window in batch] == list(range(windows))
    assert len({len(share) for share in shares}) == 1
    assert {len(batch) for share in shares for batch in share} <= set(range(1, batch_size + 2))
