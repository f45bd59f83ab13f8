"""Work on several cores: fetch items ahead of their use, and map a function over items in threads."""

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

MAX_THREADS = 4
"""Largest number of threads of ``map_in_threads``, so that memory does not grow with the number of cores."""

_available: ContextVar[int] = ContextVar("threads that torch might use", default=0)


@contextmanager
def single_threaded() -> Iterator[int]:
    """Keep torch from dividing an operation among threads; yield the number of threads that it might have used.

    With small tensors the division costs more than it gains, above all beside other processes. Without it, results do not
    depend on the number of threads.

    Example:
        >>> with single_threaded() as threads:
        ...     torch.get_num_threads()
        1
    """
    outer = _available.get()
    threads = outer or torch.get_num_threads()
    token = _available.set(threads)
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        _available.reset(token)
        torch.set_num_threads(1 if outer else threads)


def prefetch(items: Iterator[Item], count: int = 2) -> Generator[Item, None, None]:
    """Yield the items in their order, while another thread fetches up to ``count`` of them in advance."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        pending = deque(pool.submit(next, items, end) for _ in range(count))
        while (item := pending.popleft().result()) is not end:
            pending.append(pool.submit(next, items, end))
            yield cast(Item, item)


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return ``function(item)`` for each item, in their order, from as many threads as torch may use, each ``single_threaded``.

    Items are taken one by one, in the caller's thread, while those before are worked on: few are in memory at a time.
    """
    results: list[Result] = []
    with single_threaded() as threads, ThreadPoolExecutor(min(threads, MAX_THREADS)) as pool:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > min(threads, MAX_THREADS):
                results.append(pending.popleft().result())
        return results + [future.result() for future in pending]
