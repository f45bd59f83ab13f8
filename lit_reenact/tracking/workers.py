"""Processes that work through a list of items side by side."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Generic, TypeVar

import cv2
import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

SPAWN = get_context("spawn")

GRACE_SECONDS = 10
"""Time that an interrupted process has to remove its half-written files."""

RETRY_SECONDS = 0.05
"""Time after which an interruption is tried again."""


class _Worker(Generic[Item, Result]):
    """A process that applies a function to one item after the other until its pipe is closed."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self.pipe, end = SPAWN.Pipe()
        self.process = SPAWN.Process(target=_serve, args=(end, function), daemon=True)
        with _interrupts_ignored():  # inherited: Ctrl-C reaches the parent alone, which stops its workers in order
            self.process.start()
        end.close()

    def stop(self, busy: bool) -> None:
        self.pipe.close()  # an idle process ends at that
        if busy:
            self.process.terminate()
        self.process.join(GRACE_SECONDS)
        self.process.kill()
        self.process.join()


def in_processes(
    items: Sequence[Item], function: Callable[[Item], Result], processes: int
) -> Iterator[tuple[Item, Result | str]]:
    """Apply a function to items in spawned processes of one thread each; yield items and results as they are done.

    A process that dies costs the item that it worked on, which is yielded with a sentence instead of a result.
    """
    waiting = list(reversed(items))
    idle = [_Worker[Item, Result](function) for _ in range(min(processes, len(items)))]
    busy: dict[Connection, tuple[_Worker[Item, Result], Item]] = {}
    try:
        while waiting or busy:
            while waiting and idle:
                worker, item = idle.pop(), waiting.pop()
                with suppress(OSError):  # a process that is dead already is noticed below
                    worker.pipe.send(item)
                busy[worker.pipe] = worker, item
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                worker, item = busy.pop(pipe)
                try:
                    result: Result | str = pipe.recv()
                except (EOFError, OSError):  # it died; on OSError before it had read its item
                    worker.process.join()
                    result = f"its process ended with code {worker.process.exitcode}, possibly out of memory"
                    worker = _Worker(function)
                idle.append(worker)
                yield item, result
    finally:
        for worker in idle:
            worker.stop(busy=False)
        for worker, _ in busy.values():
            worker.stop(busy=True)


def _serve(pipe: Connection, function: Callable[[Item], Result]) -> None:
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _interrupt)  # so that half-written files are removed
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):  # the parent wants no more
        while True:
            pipe.send(function(pipe.recv()))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending anyway


def _interrupt(_number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; a moment later if C code calls Python just now (llvmlite), where the exception would be lost."""
    if frame is not None and "llvmlite" in frame.f_code.co_filename:
        signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
        return
    raise KeyboardInterrupt


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can set signal handlers
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
