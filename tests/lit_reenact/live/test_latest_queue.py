"""Items from one thread to another: the newest wins, or nothing is lost."""

from __future__ import annotations

import threading

from lit_reenact.live.latest_queue import LatestQueue


def test_the_oldest_makes_room_and_is_counted() -> None:
    queue: LatestQueue[int] = LatestQueue(room=2)
    assert all(queue.give(item) for item in range(5))
    assert queue.take() == [3, 4]
    assert queue.dropped == 3


def test_what_is_left_can_be_taken_after_the_end() -> None:
    queue: LatestQueue[int] = LatestQueue(room=2)
    queue.give(1)
    queue.close()
    assert not queue.give(2)
    assert list(queue) == [1]
    assert queue.take() == []


def test_a_patient_giver_loses_nothing() -> None:
    queue: LatestQueue[int] = LatestQueue(patient=True)

    def give() -> None:
        for item in range(200):
            queue.give(item)
        queue.close()

    giver = threading.Thread(target=give)
    giver.start()
    assert list(queue) == list(range(200))
    giver.join(10)
    assert not giver.is_alive()


def test_a_patient_giver_is_let_go_at_the_end() -> None:
    queue: LatestQueue[int] = LatestQueue(patient=True)
    queue.give(1)
    answers: list[bool] = []
    giver = threading.Thread(target=lambda: answers.append(queue.give(2)))
    giver.start()
    queue.close()
    giver.join(10)
    assert answers == [False]
