"""Running the trials of a sweep, one after another, each in a process of its own."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from lit_reenact.core.errors import ReenactError
from lit_reenact.experiments.processes import run_training
from lit_reenact.experiments.sweep.definition import Sweep, shorten
from lit_reenact.experiments.sweep.trials import LOCK, LOG, Trial, Trials


def run_sweep(sweep: Sweep, folder: Path, count: int | None = None, report: Callable[[str], None] = print) -> Trials:
    """Run trials until there are ``count``, or the grid is complete. Trials that failed or were cut off are run again.

    Args:
        sweep: the sweep.
        folder: folder of the sweep.
        count: number of trials in total, with those of earlier calls; None for no limit.
        report: function that takes a line when a trial begins, and one when it ends.

    Raises:
        ReenactError: the folder holds another sweep, another process works on it, or a trial has not logged the metric.
        KeyboardInterrupt: a trial was cut off; the same call resumes it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder) as lock:
        trials = Trials.open(sweep, folder)
        number = 0
        while (count is None or number < count) and (trial := trials.get(number)) is not None:
            number += 1
            if trial.state in ("running", "failed"):
                parameters = " ".join(f"{name}={shorten(value)}" for name, value in trial.parameters.items())
                report(f"[{number}{f'/{count}' if count else ''}] {trial.name}: {parameters}")
                _run(trials, trial, lock)
                trials.save()
                report(f"  {trial.state}{f': {trial.note}' if trial.note else ''}")
    return trials


def _run(trials: Trials, trial: Trial, lock: IO[str]) -> None:
    """Train, and store in the trial how that ended."""
    sweep, own = trials.sweep, trials.folder / trial.name
    words = [f"--output={trials.folder}", f"--name={trial.name}", "--trainer.enable_progress_bar=false"]
    trial.state, trial.note = "running", ""
    outcome = run_training(
        trial.name,
        [*sweep.arguments(trial.parameters), *words],
        own / LOG,
        {"WANDB_RUN_GROUP": os.environ.get("WANDB_RUN_GROUP", trials.folder.name)},
        inherited_files=[lock.fileno()],  # the training holds the folder as long as it lives, even if this process is killed
        is_hopeless=partial(trials.is_hopeless, trial) if "early_terminate" in sweep.content else None,
    )
    trial.state, trial.note = outcome.state, outcome.reason
    if trial.state != "failed" and sweep.metric not in (curves := trials.curves(trial)):
        logged = ", ".join(name for name in curves if name.startswith("val/"))
        raise ReenactError(f"{sweep.path}: the metric {sweep.metric} is not in the history of {own}, which has {logged}")


@contextmanager
def _locked(folder: Path) -> Iterator[IO[str]]:
    """Lock a folder; yield the file of the lock, which the trials inherit.

    Raises:
        ReenactError: another process holds the lock.
    """
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ReenactError(f"{folder}: another process works on this sweep: wait until it ends") from error
        yield lock
