"""Prefetching and working in threads change nothing but the time that it takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from lit_reenact.core.parallel import MAX_THREADS, map_in_threads, prefetch, single_threaded

WAIT = 20  # seconds, after which a test that hangs fails


@pytest.fixture
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_few_items_are_prefetched() -> None:
    fetched: list[int] = []
    third = threading.Event()

    def items() -> Iterator[int]:
        for item in range(10):
            fetched.append(item)
            if item == 2:
                third.set()
            yield item

    coming = prefetch(items(), count=2)
    assert next(coming) == 0
    assert third.wait(WAIT)  # while the first is worked on
    coming.close()
    assert len(fetched) == 3
    assert list(prefetch(iter(range(10)))) == list(range(10))


def test_an_error_comes_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    coming = prefetch(items())
    assert next(coming) == 1
    with pytest.raises(ValueError, match="broken"):
        next(coming)


def test_as_many_are_worked_on_as_torch_may_use_threads(two_threads: None) -> None:
    both = threading.Barrier(2, timeout=WAIT)

    def work(item: int) -> tuple[int, int, int]:
        both.wait()  # passes only if another is worked on at this time
        return item, torch.get_num_threads(), threading.get_ident()

    results = map_in_threads(work, range(8))
    assert [item for item, _, _ in results] == list(range(8))
    assert {threads for _, threads, _ in results} == {1}
    assert len({thread for _, _, thread in results}) == 2
    assert torch.get_num_threads() == 2


def test_few_items_are_in_memory_at_a_time() -> None:
    done: list[int] = []

    def items() -> Iterator[int]:
        for item in range(40):
            assert item - len(done) <= MAX_THREADS + 1
            yield item

    map_in_threads(done.append, items())
    assert done == list(range(40))


def test_single_threaded_blocks_nest_and_still_map_in_threads(two_threads: None) -> None:
    with single_threaded(), single_threaded() as threads:
        assert threads == 2
        assert torch.get_num_threads() == 1
        both = threading.Barrier(2, timeout=WAIT)
        map_in_threads(lambda _: both.wait(), range(4))
    assert torch.get_num_threads() == 2


def test_an_error_in_the_work_is_passed_on(two_threads: None) -> None:
    def work(item: int) -> float:
        return 1 / item

    with pytest.raises(ZeroDivisionError):
        map_in_threads(work, (2, 1, 0, 3))
    assert torch.get_num_threads() == 2
