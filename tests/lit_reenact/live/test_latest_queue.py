"""The queue between two threads: it keeps the newest items, or loses none."""

from __future__ import annotations

import threading

from lit_reenact.live.latest_queue import LatestQueue


def test_the_oldest_item_is_dropped_and_counted() -> None:
    queue: LatestQueue[int] = LatestQueue(capacity=2)
    assert all(queue.put(item) for item in range(5))
    assert queue.take_all() == [3, 4]
    assert queue.dropped == 3


def test_remaining_items_can_be_taken_after_closing() -> None:
    queue: LatestQueue[int] = LatestQueue(capacity=2)
    queue.put(1)
    queue.close()
    assert not queue.put(2)
    assert list(queue) == [1]
    assert queue.take_all() == []


def test_a_lossless_queue_keeps_every_item() -> None:
    queue: LatestQueue[int] = LatestQueue(lossless=True)

    def produce() -> None:
        for item in range(200):
            queue.put(item)
        queue.close()

    producer = threading.Thread(target=produce)
    producer.start()
    assert list(queue) == list(range(200))
    producer.join(10)
    assert not producer.is_alive()


def test_closing_releases_a_waiting_producer() -> None:
    queue: LatestQueue[int] = LatestQueue(lossless=True)
    queue.put(1)
    answers: list[bool] = []
    producer = threading.Thread(target=lambda: answers.append(queue.put(2)))
    producer.start()
    queue.close()
    producer.join(10)
    assert answers == [False]
