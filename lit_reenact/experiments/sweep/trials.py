"""The trials of a sweep, and the file that remembers them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import write_json
from lit_reenact.core.split import LAST_FIFTH
from lit_reenact.experiments.sweep.definition import Parameters, Sweep
from lit_reenact.experiments.sweep.engine import propose, sweeps_package
from lit_reenact.training.run_folder import RunFolder, joined_curves

LEDGER = "trials.json"
TABLE, PICTURE = "trials.csv", "trials.png"
LOCK = ".lock"
LOG = "log.txt"


@dataclass
class Trial:
    """One training of a sweep.

    Attributes:
        name: name of the trial and of its folder.
        parameters: settings that the trial tries.
        state: "stopped" means stopped early, because others were better at that point. A trial stays "running" if the sweep was
            cut off.
        note: reason why the trial failed; empty otherwise.
    """

    name: str
    parameters: Parameters
    state: Literal["running", "finished", "stopped", "failed"] = "running"
    note: str = ""


@dataclass(frozen=True)
class Result:
    """A trial and the best value that it reached.

    Attributes:
        trial: the trial.
        value: best value of the metric; None if there is none.
        batch_step: batch step of the best value; None if there is none.
    """

    trial: Trial
    value: float | None
    batch_step: int | None


@dataclass
class Trials:
    """The trials in a folder, which ``trials.json`` there remembers.

    Attributes:
        sweep: the sweep that the trials belong to.
        folder: folder of the sweep; each trial has a folder below it.
        trials: the trials in the order of their proposal.
    """

    sweep: Sweep
    folder: Path
    trials: list[Trial] = field(default_factory=list)

    @classmethod
    def open(cls, sweep: Sweep, folder: Path) -> Trials:
        """Return the trials that a folder remembers; none for a new folder.

        Raises:
            ReenactError: the folder holds trials of another sweep, or with other settings.
        """
        self = cls(sweep, folder)
        if (folder / LEDGER).is_file():
            ledger = json.loads((folder / LEDGER).read_text(encoding="utf-8"))
            before = ledger["trained"].get("protocol", LAST_FIFTH)
            if before != sweep.protocol:
                raise ReenactError(
                    f"{folder} holds trials of the protocol {before}, this sweep has {sweep.protocol}: results of different "
                    "protocols cannot be compared, so choose another folder with -o"
                )
            if {"protocol": LAST_FIFTH, **ledger["trained"]} != self._fixed_settings():
                raise ReenactError(
                    f"{folder} holds trials of another sweep, or with other settings: choose another folder with -o, or remove it"
                )
            self.trials = [Trial(**trial) for trial in ledger["trials"]]
        return self

    def save(self) -> None:
        """Write ``trials.json``."""
        trials = [asdict(trial) for trial in self.trials]
        write_json(self.folder / LEDGER, {"trained": self._fixed_settings(), "trials": trials})

    def get(self, number: int) -> Trial | None:
        """Return a trial by its number from 0, and propose it if it is new; None if a grid has no more."""
        if number == len(self.trials):
            parameters = propose(self.sweep, [self.to_sweep_run(trial) for trial in self.trials])
            if parameters is None:
                return None
            self.trials.append(Trial(f"trial-{number + 1}", parameters))
            self.save()
        return self.trials[number]

    def curves(self, trial: Trial) -> dict[str, dict[int, float]]:
        """Return everything that a trial has logged so far, by name and batch step."""
        runs = [RunFolder(path) for path in (self.folder / trial.name).glob("seed-*")]
        return joined_curves(log for run in runs for log in run.metrics)

    def to_sweep_run(self, trial: Trial) -> Any:
        """Convert a trial to ``sweeps.SweepRun``. A trial that was stopped early counts with the value that it reached."""
        package = sweeps_package()
        history = [{self.sweep.metric: value} for value in self.curves(trial).get(self.sweep.metric, {}).values()]
        state = "finished" if trial.state == "stopped" else trial.state
        config = {name: {"value": value} for name, value in trial.parameters.items()}
        return package.SweepRun(name=trial.name, state=state, config=config, history=history)

    def is_hopeless(self, trial: Trial) -> bool:
        """Return whether the sweep's rule for early stopping stops a running trial."""
        runs = [self.to_sweep_run(one) for one in self.trials]
        return any(run.name == trial.name for run in sweeps_package().stop_runs(self.sweep.content, runs))

    def _fixed_settings(self) -> dict[str, Any]:
        """Return what may not change between two calls of a sweep; its method and its count may."""
        content = self.sweep.content
        fixed = {"command": content["command"], "parameters": content["parameters"], "settings": list(self.sweep.settings)}
        return {**fixed, "protocol": self.sweep.protocol}


def written_files(folder: Path) -> Iterator[Path]:
    """Yield everything that a sweep writes into its folder: files, and the folders of trials that it may run again."""
    yield from (folder / name for name in (LEDGER, TABLE, PICTURE, LOCK))
    yield from folder.glob("trial-*")
