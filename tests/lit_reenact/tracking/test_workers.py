"""Processes that die while they work, or before they begin."""

from __future__ import annotations

import os

from lit_reenact.tracking.workers import in_processes


def test_a_process_that_dies_costs_one_item() -> None:
    done = dict(in_processes([1, 0, 2], _exit_on_zero, processes=2))
    assert done == {1: 10, 0: "its process ended with code 7, perhaps for want of memory", 2: 20}


class _Stillborn:
    """A function whose process ends before it has read an item."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (7,)

    def __call__(self, item: int) -> int:
        return item


def test_processes_that_die_before_they_begin() -> None:
    assert list(in_processes([1, 2], _Stillborn(), processes=1)) == [
        (item, "its process ended with code 7, perhaps for want of memory") for item in (1, 2)
    ]


def _exit_on_zero(item: int) -> int:
    if item == 0:
        os._exit(7)
    return 10 * item
