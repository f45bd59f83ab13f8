"""Fetching ahead and working side by side change nothing but the time it takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from lit_reenact.core.parallel import MOST, ahead, side_by_side, undivided

WAIT = 20  # seconds, after which a test that hangs fails


@pytest.fixture
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_items_are_fetched_ahead_but_not_far() -> None:
    fetched: list[int] = []
    third = threading.Event()

    def items() -> Iterator[int]:
        for item in range(10):
            fetched.append(item)
            if item == 2:
                third.set()
            yield item

    coming = ahead(items(), count=2)
    assert next(coming) == 0
    assert third.wait(WAIT)  # while the first is worked on
    coming.close()
    assert len(fetched) == 3
    assert list(ahead(iter(range(10)))) == list(range(10))


def test_an_error_comes_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    coming = ahead(items())
    assert next(coming) == 1
    with pytest.raises(ValueError, match="broken"):
        next(coming)


def test_as_many_are_worked_on_as_torch_may_use_threads(two_threads: None) -> None:
    both = threading.Barrier(2, timeout=WAIT)

    def work(item: int) -> tuple[int, int, int]:
        both.wait()  # passes only if another is worked on at this time
        return item, torch.get_num_threads(), threading.get_ident()

    results = side_by_side(work, range(8))
    assert [item for item, _, _ in results] == list(range(8))
    assert {threads for _, threads, _ in results} == {1}
    assert len({thread for _, _, thread in results}) == 2
    assert torch.get_num_threads() == 2


def test_few_items_are_in_memory_at_a_time() -> None:
    done: list[int] = []

    def items() -> Iterator[int]:
        for item in range(40):
            assert item - len(done) <= MOST + 1
            yield item

    side_by_side(done.append, items())
    assert done == list(range(40))


def test_a_block_is_undivided_and_still_works_side_by_side(two_threads: None) -> None:
    with undivided(), undivided() as threads:
        assert threads == 2
        assert torch.get_num_threads() == 1
        both = threading.Barrier(2, timeout=WAIT)
        side_by_side(lambda _: both.wait(), range(4))
    assert torch.get_num_threads() == 2


def test_an_error_in_the_work_is_passed_on(two_threads: None) -> None:
    def work(item: int) -> float:
        return 1 / item

    with pytest.raises(ZeroDivisionError):
        side_by_side(work, (2, 1, 0, 3))
    assert torch.get_num_threads() == 2
