"""One training in a process of its own: its command line, its log, its outcome, and Ctrl-C passed on to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

FIT = (sys.executable, "-m", "lit_reenact.commands.main", "fit")
"""Command line of a training, before its arguments."""

POLL_SECONDS = 1.0
"""Time between two questions whether a running training is hopeless."""

INTERRUPTED = (128 + signal.SIGINT, os.EX_TEMPFAIL)
"""Exit codes of a training that was stopped from outside and can be resumed."""


@dataclass(frozen=True)
class Outcome:
    """The end of a training.

    Attributes:
        state: "finished", "stopped" (``is_hopeless`` said so) or "failed".
        reason: why the training failed, in a few words; empty otherwise.
    """

    state: Literal["finished", "stopped", "failed"]
    reason: str = ""


def run_training(
    name: str,
    arguments: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    inherited_files: Sequence[int] = (),
    is_hopeless: Callable[[], bool] | None = None,
) -> Outcome:
    """Run ``lit-reenact fit`` in a new process and wait until it ends.

    Args:
        name: name of the training, for the message of an interruption.
        arguments: command line after ``lit-reenact fit``.
        log: text file to which the output of the training is appended.
        environment: variables that are set for the training in addition to those of this process.
        inherited_files: descriptors of open files that the training keeps open, such as a lock.
        is_hopeless: function asked every ``POLL_SECONDS``; the training is stopped early once it returns True.

    Raises:
        KeyboardInterrupt: this process or the training received SIGINT or SIGTERM. The training has saved its state.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file, _interrupted_by_signals():
        start = file.tell()
        process = subprocess.Popen(
            [*FIT, *arguments],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            pass_fds=inherited_files,
            start_new_session=True,  # Ctrl-C reaches it from here alone, and once: a second one would not let it save
        )
        try:
            stopped = _wait(process, is_hopeless)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise KeyboardInterrupt(_interruption(name)) from None
    if stopped:
        return Outcome("stopped")
    if process.returncode in INTERRUPTED:
        raise KeyboardInterrupt(_interruption(name))
    return Outcome("failed", _failure(log, start, process.returncode)) if process.returncode else Outcome("finished")


def become_training(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Replace this process by ``lit-reenact fit``, so that signals reach the training and its exit code counts."""
    sys.stdout.flush()
    os.execve(FIT[0], [*FIT, *arguments], {**os.environ, **environment})


def _wait(process: subprocess.Popen[Any], is_hopeless: Callable[[], bool] | None) -> bool:
    """Wait until the process ends; return whether it was stopped as hopeless."""
    while True:
        try:
            process.wait(None if is_hopeless is None else POLL_SECONDS)
            return False
        except subprocess.TimeoutExpired:
            if is_hopeless is not None and is_hopeless():
                process.send_signal(signal.SIGTERM)
                process.wait()
                return True


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into ``KeyboardInterrupt``, even where a shell switched SIGINT off for a background job."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interruption(name: str) -> str:
    return f"{name} was cut off; the same command resumes it"


def _failure(log: Path, start: int, code: int) -> str:
    """Return the command's own sentence, else the last line that it wrote, from the bytes of the log after ``start``."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    text = log.read_bytes()[start:].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    sentences = [line.removeprefix("lit-reenact: ") for line in lines if re.match("lit-reenact: (?!warning: )", line)]
    return ([*lines, *sentences] or [f"exit code {code}"])[-1]
