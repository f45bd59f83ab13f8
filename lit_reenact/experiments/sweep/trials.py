"""The trials of a sweep one after another, each a process of its own; what is done is remembered, what is hopeless is stopped."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import write_text
from lit_reenact.experiments.processes import run_training
from lit_reenact.experiments.sweep.definition import Parameters, Sweep, in_short, propose, sweeps_package
from lit_reenact.training.run_folder import RunFolder, joined_curves

LEDGER = "trials.json"
TABLE, PICTURE = "trials.csv", "trials.png"
LOCK = ".lock"
LOG = "log.txt"
State = Literal["running", "finished", "stopped", "failed"]


@dataclass
class Trial:
    """One training.

    Attributes:
        name: also of its folder.
        parameters: what it tries.
        state: ``stopped`` is early, because others were better at that point; ``running`` also if the sweep itself was cut off.
        note: why it failed.
    """

    name: str
    parameters: Parameters
    state: State = "running"
    note: str = ""


@dataclass
class Trials:
    """The trials in a folder, as ``trials.json`` there remembers them.

    Attributes:
        sweep: that they belong to.
        folder: of the sweep; a trial has a folder below it.
        trials: in the order in which they were proposed.
    """

    sweep: Sweep
    folder: Path
    trials: list[Trial] = field(default_factory=list)

    @classmethod
    def open(cls, sweep: Sweep, folder: Path) -> Trials:
        """Those that a folder remembers; none for a new folder.

        Raises:
            ReenactError: the folder holds trials of something else.
        """
        self = cls(sweep, folder)
        if (folder / LEDGER).is_file():
            kept = json.loads((folder / LEDGER).read_text(encoding="utf-8"))
            if kept["trained"] != self._trained():
                raise ReenactError(
                    f"{folder} holds trials of another sweep, or with other settings: choose another folder with -o, or remove it"
                )
            self.trials = [Trial(**trial) for trial in kept["trials"]]
        return self

    def save(self) -> None:
        """Remember all trials."""
        kept = {"trained": self._trained(), "trials": [asdict(trial) for trial in self.trials]}
        write_text(self.folder / LEDGER, json.dumps(kept, indent=2) + "\n")

    def get(self, number: int) -> Trial | None:
        """The trial of a number from 0 on, proposed if there was none yet; None if a grid has no more."""
        if number == len(self.trials):
            parameters = propose(self.sweep, [self.as_run(trial) for trial in self.trials])
            if parameters is None:
                return None
            self.trials.append(Trial(f"trial-{number + 1}", parameters))
            self.save()
        return self.trials[number]

    def curves(self, trial: Trial) -> dict[str, dict[int, float]]:
        """All that a trial has logged until now, by name and batch step."""
        runs = [RunFolder(path) for path in (self.folder / trial.name).glob("seed-*")]
        return joined_curves(log for run in runs for log in run.metrics)

    def as_run(self, trial: Trial) -> Any:
        """A trial as the ``sweeps`` package sees it. One that was stopped early counts with what it reached."""
        package = sweeps_package()
        history = [{self.sweep.metric: value} for value in self.curves(trial).get(self.sweep.metric, {}).values()]
        state = "finished" if trial.state == "stopped" else trial.state
        config = {name: {"value": value} for name, value in trial.parameters.items()}
        return package.SweepRun(name=trial.name, state=state, config=config, history=history)

    def _trained(self) -> dict[str, Any]:
        """What must be the same for a sweep to go on; its method and its count may change."""
        content = self.sweep.content
        return {"command": content["command"], "parameters": content["parameters"], "settings": list(self.sweep.settings)}


def written_files(folder: Path) -> Iterator[Path]:
    """All that a sweep writes into its folder, as files, and as folders of trials that it may run again."""
    yield from (folder / name for name in (LEDGER, TABLE, PICTURE, LOCK))
    yield from folder.glob("trial-*")


def run_sweep(sweep: Sweep, folder: Path, count: int | None = None, tell: Callable[[str], None] = print) -> Trials:
    """Run trials until there are ``count``, or the grid is through. Those that failed or were cut off are run again.

    Args:
        sweep: what to try.
        folder: of the sweep.
        count: of trials in all, those of earlier calls included.
        tell: takes a line when a trial begins, and one when it ends.

    Raises:
        ReenactError: the folder holds another sweep, or another process works on it; the metric is not in a trial's history.
        KeyboardInterrupt: a trial was cut off; the same call goes on there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _held(folder) as lock:
        trials = Trials.open(sweep, folder)
        number = 0
        while (count is None or number < count) and (trial := trials.get(number)) is not None:
            number += 1
            if trial.state in ("running", "failed"):
                said = " ".join(f"{name}={in_short(value)}" for name, value in trial.parameters.items())
                tell(f"[{number}{f'/{count}' if count else ''}] {trial.name}: {said}")
                _run(trials, trial, lock)
                trials.save()
                tell(f"  {trial.state}{f': {trial.note}' if trial.note else ''}")
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
        is_hopeless=partial(_is_hopeless, trials, trial) if "early_terminate" in sweep.content else None,
    )
    trial.state, trial.note = outcome.state, outcome.reason
    if trial.state != "failed" and sweep.metric not in (curves := trials.curves(trial)):
        logged = ", ".join(name for name in curves if name.startswith("val/"))
        raise ReenactError(f"{sweep.path}: the metric {sweep.metric} is not in the history of {own}, which has {logged}")


def _is_hopeless(trials: Trials, trial: Trial) -> bool:
    runs = [trials.as_run(one) for one in trials.trials]
    return any(run.name == trial.name for run in sweeps_package().stop_runs(trials.sweep.content, runs))


@contextmanager
def _held(folder: Path) -> Iterator[IO[str]]:
    """The lock of a folder, which the trials inherit.

    Raises:
        ReenactError: somebody else has it.
    """
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ReenactError(f"{folder}: another process works on this sweep: wait for its end") from error
        yield lock
