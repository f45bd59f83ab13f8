"""Items from one thread to another: the newest wins, or nothing is lost."""

from __future__ import annotations

import threading

from lit_reenact.live.handover import Handover


def test_the_oldest_makes_room_and_is_counted() -> None:
    handover: Handover[int] = Handover(room=2)
    assert all(handover.give(item) for item in range(5))
    assert handover.take() == [3, 4]
    assert handover.dropped == 3


def test_what_is_left_can_be_taken_after_the_end() -> None:
    handover: Handover[int] = Handover(room=2)
    handover.give(1)
    handover.close()
    assert not handover.give(2)
    assert list(handover) == [1]
    assert handover.take() == []


def test_a_patient_giver_loses_nothing() -> None:
    handover: Handover[int] = Handover(patient=True)

    def give() -> None:
        for item in range(200):
            handover.give(item)
        handover.close()

    giver = threading.Thread(target=give)
    giver.start()
    assert list(handover) == list(range(200))
    giver.join(10)
    assert not giver.is_alive()


def test_a_patient_giver_is_let_go_at_the_end() -> None:
    handover: Handover[int] = Handover(patient=True)
    handover.give(1)
    answers: list[bool] = []
    giver = threading.Thread(target=lambda: answers.append(handover.give(2)))
    giver.start()
    handover.close()
    giver.join(10)
    assert answers == [False]
