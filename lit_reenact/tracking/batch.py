"""Many videos: which there are, whose turn it is on this machine, and tracking them side by side."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import torch

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.paths import listed_lines
from lit_reenact.tracking.quality import photometric_gain
from lit_reenact.tracking.settings import TrackerSettings
from lit_reenact.tracking.tracker import finished_track, stored_settings, track_video

Item = TypeVar("Item")
Result = TypeVar("Result")

SPAWN = get_context("spawn")

GRACE_SECONDS = 10
"""Time for an interrupted process to remove what it has half written."""


@dataclass(frozen=True)
class Job:
    """A video and the folder for its track.

    Attributes:
        video: the file.
        folder: where ``track_video`` writes.
    """

    video: Path
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: see there.
        status: "tracked", "skipped" (its track was there already) or "failed".
        lines: what to tell the user: notes and figures of a track, or the one reason of a failure.
    """

    job: Job
    status: str
    lines: tuple[str, ...] = ()


def read_manifest(path: Path) -> list[tuple[Path, str]]:
    """Videos and names out of a text file: one path a line, relative to the file's folder, then a tab or a comma and a name.

    The name is the file's own without its suffix if it is not given. Empty lines and those that begin with # do not count.

    Raises:
        ReenactError: there is no such file, it is no text, a line is malformed, or it names no video at all.
    """
    entries = []
    for number, line in listed_lines(path, "one video"):
        video, *names = (word.strip() for word in line.split("\t" if "\t" in line else ","))
        name = names[0] if names else Path(video).stem
        if not video or len(names) > 1 or name in ("", ".", "..") or "/" in name or "\\" in name:
            raise ReenactError(f"{path}, line {number}: {line!r} is not a path, or a path, a tab and a name without slashes")
        entries.append((path.parent / video, name))
    if not entries:
        raise ReenactError(f"{path} names no video: write one path a line")
    return entries


def make_jobs(entries: Sequence[tuple[Path, str]], output: Path) -> list[Job]:
    """The jobs of videos and names, each once.

    Raises:
        ReenactError: two videos would be tracked to one folder.
    """
    taken: dict[str, Path] = {}
    for video, name in entries:
        other = taken.setdefault(name, video)
        if other.resolve() != video.resolve():
            raise ReenactError(
                f"{other} and {video} would both be tracked to a folder {name}: rename one of them, or name them in a manifest"
            )
    return [Job(video, output / name) for name, video in taken.items()]


def parse_shard(text: str) -> tuple[int, int]:
    """The two numbers of "i/n", 1 <= i <= n.

    Raises:
        ReenactError: they are not.
    """
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise ReenactError(f"--shard {text}: write it as 1/8, ..., 8/8 for eight machines")
    return int(index), int(count)


def shard(jobs: Sequence[Job], index: int, count: int) -> list[Job]:
    """Every ``count``-th job from the ``index``-th on, counted from 1."""
    return list(jobs[index - 1 :: count])


def track_all(jobs: Sequence[Job], settings: TrackerSettings, size: int, processes: int) -> Iterator[Outcome]:
    """Track videos; whatever happens to one, the others are tracked.

    Args:
        jobs: see there.
        settings: of the tracker.
        size: side of the working clips in pixels.
        processes: how many videos at a time.

    Yields:
        An outcome for each job, as they come.
    """
    wanted = stored_settings(settings, size)
    waiting = []
    for job in jobs:
        if finished_track(job.video, job.folder, wanted) is not None:
            yield Outcome(job, "skipped")
        else:
            waiting.append(job)
    work = partial(track_one, settings=settings, size=size, progress=processes == 1)
    if len(waiting) == 1:
        yield work(waiting[0])
    else:
        for job, done in in_processes(waiting, work, processes):
            yield done if isinstance(done, Outcome) else Outcome(job, "failed", (f"{job.video}: {done}",))


def track_one(job: Job, settings: TrackerSettings, size: int, progress: bool) -> Outcome:
    """Track one video; every error becomes an outcome."""
    try:
        track = track_video(job.video, job.folder, settings, size=size, progress=progress)
    except ReenactError as error:
        return Outcome(job, "failed", (str(error),))
    except Exception as error:  # a fault of this program or of a library: the other videos need not suffer
        return Outcome(job, "failed", (f"{job.video}: unexpected {type(error).__name__}: {error}",))
    error_line = f"{len(track)} frames, landmark error {float(track.error.nanmean()):.2f} % of the outer-eye distance on average"
    seen = f"photometric error {photometric_gain(track)}"
    return Outcome(job, "tracked", (*(f"note: {note}" for note in track.info.notes), error_line, seen))


class _Worker(Generic[Item, Result]):
    """A process that works through items, one after the other, until its pipe is closed."""

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
    """Items with what ``function`` made of them in processes of their own (spawned, one thread each), as they are done.

    A process that dies costs the one item it was at, which comes with a sentence instead of a result.
    """
    waiting = list(reversed(items))
    idle = [_Worker[Item, Result](function) for _ in range(min(processes, len(items)))]
    busy: dict[Connection, tuple[_Worker[Item, Result], Item]] = {}
    try:
        while waiting or busy:
            while waiting and idle:
                worker, item = idle.pop(), waiting.pop()
                with suppress(OSError):  # a process that is dead already is found below
                    worker.pipe.send(item)
                busy[worker.pipe] = worker, item
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                worker, item = busy.pop(pipe)
                try:
                    result: Result | str = pipe.recv()
                except (EOFError, OSError):  # it died, in the latter case before it had read its item
                    worker.process.join()
                    result = f"its process ended with code {worker.process.exitcode}, perhaps for want of memory"
                    worker = _Worker(function)
                idle.append(worker)
                yield item, result
    finally:
        for worker in idle:
            worker.stop(busy=False)
        for worker, _ in busy.values():
            worker.stop(busy=True)


def _serve(pipe: Connection, function: Callable[[Item], Result]) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that half-written files are removed
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):  # the parent wants no more
        while True:
            pipe.send(function(pipe.recv()))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending anyway


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
