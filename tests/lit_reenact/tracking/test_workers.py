"""Processes that die while they work, or before they begin."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

import pytest

from lit_reenact.tracking.workers import _interrupt, in_processes


def test_a_process_that_dies_costs_one_item() -> None:
    done = dict(in_processes([1, 0, 2], _exit_on_zero, processes=2))
    assert done == {1: 10, 0: "its process ended with code 7, possibly out of memory", 2: 20}


class _Stillborn:
    """A function whose process ends before it has read an item."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (7,)

    def __call__(self, item: int) -> int:
        return item


def test_processes_that_die_before_they_begin() -> None:
    assert list(in_processes([1, 2], _Stillborn(), processes=1)) == [
        (item, "its process ended with code 7, possibly out of memory") for item in (1, 2)
    ]


def _exit_on_zero(item: int) -> int:
    if item == 0:
        os._exit(7)
    return 10 * item


def test_interruption_waits_while_c_code_calls_python() -> None:
    """An exception that is raised there would be printed and lost."""
    caller: dict[str, FrameType] = {}
    code = compile("import sys; caller['frame'] = sys._getframe()", "/llvmlite/binding/executionengine.py", "exec")
    exec(code, {"caller": caller})
    before = signal.signal(signal.SIGALRM, _interrupt)
    try:
        _interrupt(signal.SIGTERM, caller["frame"])
        with pytest.raises(KeyboardInterrupt):
            time.sleep(5)
        with pytest.raises(KeyboardInterrupt):
            _interrupt(signal.SIGTERM, None)
    finally:
        signal.signal(signal.SIGALRM, before)
