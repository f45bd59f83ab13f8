"""Work for more than one core: what comes next is fetched ahead, and pieces of work are done side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, cast

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 4
"""Pieces of work at a time at most, so that memory does not grow with the number of cores."""

_allowed: ContextVar[int] = ContextVar("threads that torch might use", default=0)


@contextmanager
def undivided() -> Iterator[int]:
    """Meanwhile torch divides no operation among threads; gives the number of threads that it might have used.

    With small tensors it loses more than it gains by that, above all beside other processes. And results do not depend on the
    number of threads.
    """
    outer = _allowed.get()
    threads = outer or torch.get_num_threads()
    token = _allowed.set(threads)
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        _allowed.reset(token)
        torch.set_num_threads(1 if outer else threads)


def ahead(items: Iterator[Item], count: int = 2) -> Generator[Item, None, None]:
    """The same items in the same order, up to ``count`` of which are fetched in another thread before they are asked for."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = deque(pool.submit(next, items, end) for _ in range(count))
        while (item := coming.popleft().result()) is not end:
            coming.append(pool.submit(next, items, end))
            yield cast(Item, item)


def side_by_side(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """What ``function`` makes of each item, in their order: in as many threads as torch may use, but ``undivided`` in each.

    Items are taken one by one, in the caller's thread, while those before are worked on: few are in memory at a time.
    """
    results: list[Result] = []
    with undivided() as threads, ThreadPoolExecutor(min(threads, MOST)) as pool:
        coming: deque[Future[Result]] = deque()
        for item in items:
            coming.append(pool.submit(function, item))
            if len(coming) > min(threads, MOST):
                results.append(coming.popleft().result())
        return results + [future.result() for future in coming]
