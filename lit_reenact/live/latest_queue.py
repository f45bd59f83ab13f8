"""From one thread to the next: whoever gives never waits for whoever takes, so what is shown is always the newest."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestQueue(Generic[Item]):
    """A short queue between two threads.

    Args:
        room: items that it holds.
        patient: whether ``give`` waits for room. Otherwise the oldest item makes room, and is counted in ``dropped``.
    """

    def __init__(self, room: int = 1, patient: bool = False) -> None:
        self.dropped = 0
        self._items: deque[Item] = deque()
        self._room, self._patient = room, patient
        self._closed = False
        self._changed = threading.Condition()

    def give(self, item: Item) -> bool:
        """Add an item; False if nobody takes any more."""
        with self._changed:
            while self._patient and len(self._items) >= self._room and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            if len(self._items) >= self._room:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._changed.notify_all()
            return True

    def take(self) -> list[Item]:
        """All that is there, oldest first; waits for the first item. Empty once it is closed and nothing is left."""
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            taken = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Nothing more will come; what is there can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        return self._closed

    def __iter__(self) -> Iterator[Item]:
        while taken := self.take():
            yield from taken
