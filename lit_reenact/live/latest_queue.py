"""A queue between two threads that prefers new items: the producer never waits for the consumer unless asked to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestQueue(Generic[Item]):
    """A short queue between two threads.

    Args:
        capacity: maximum number of items.
        lossless: make ``put`` wait while the queue is full. Otherwise the oldest item is dropped, and counted in ``dropped``.

    Example:
        >>> queue: LatestQueue[int] = LatestQueue(capacity=1)
        >>> queue.put(1), queue.put(2)
        (True, True)
        >>> queue.take_all()
        [2]
    """

    def __init__(self, capacity: int = 1, lossless: bool = False) -> None:
        self.dropped = 0
        self._items: deque[Item] = deque()
        self._capacity, self._lossless = capacity, lossless
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Add an item; return False if the queue is closed."""
        with self._changed:
            while self._lossless and len(self._items) >= self._capacity and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            if len(self._items) >= self._capacity:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take_all(self) -> list[Item]:
        """Wait for an item, then remove and return all items, oldest first. The list is empty once the queue is closed."""
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            items = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            return items

    def close(self) -> None:
        """Refuse further items; those in the queue can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """True after ``close``."""
        return self._closed

    def __iter__(self) -> Iterator[Item]:
        while items := self.take_all():
            yield from items
