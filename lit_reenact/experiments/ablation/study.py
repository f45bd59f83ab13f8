"""A study from its configurations to its table: checks all before hours are spent, trains what is not trained, compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lit_reenact.core.errors import ReenactError
from lit_reenact.evaluation.evaluate import MODEL
from lit_reenact.evaluation.intervals import block_length
from lit_reenact.experiments.ablation.definition import REFERENCE, Ablation, Study
from lit_reenact.experiments.ablation.page import read_curves, write_study
from lit_reenact.experiments.ablation.runs import Measured, measured, measured_baselines
from lit_reenact.experiments.ablation.table import Entry, Table, make_row, write_tables
from lit_reenact.experiments.ablation.track import track_again
from lit_reenact.experiments.processes import become_training, run_training
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.tracking.trackfile import track_files
from lit_reenact.training import fit
from lit_reenact.training.run_folder import FREE_KEYS, RunFolder, batch_step_of, flatten

EVALUATION = Path("evaluation") / "metrics.json"
"""What was measured of a run, in its folder."""

BASELINES = "baselines.json"
TABLES = ("table.csv", "table.json", "table.md", "report.html", "figures")

Problems = dict[tuple[str, int], str]
"""Name and seed of a run to why there is nothing of it."""


@dataclass(frozen=True)
class Checked:
    """What is known of a study before anything is trained.

    Attributes:
        target: the clip that all are compared on.
        steps: batch steps of each training.
        configs: ablation to every setting of its run with seed 0.
        left_out: ablation to why nothing is trained for it: the clip does not allow it, or another has all its settings.
    """

    target: TrackedClip
    steps: int
    configs: dict[str, dict[str, Any]]
    left_out: dict[str, str]


def written_files(study: Study) -> Iterator[Path]:
    """All that a study writes, as files, and as folders that are its own."""
    yield from (study.output / name for name in (BASELINES, *TABLES))
    yield from (file for ablation in study.ablations if ablation.tracker for file in track_files(study.own_track(ablation)))
    for ablation, seed in study.members:
        run = study.run(ablation, seed)
        yield from (*run.written, run.path / EVALUATION, _log_of(run))


def check(study: Study) -> Checked:
    """Parse the configurations of all ablations, and look at the folders of their runs.

    Raises:
        ReenactError: an unknown or contradictory setting, data that the reference cannot use (such as a clip too short to hold
            anything out), or a folder that holds a run of another configuration.
    """
    configs: dict[str, dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    for ablation in study.ablations:
        try:
            cli = fit._parse(study.words(ablation, seed=0), "fit")
        except ReenactError as error:
            raise ReenactError(f"{ablation.file or study.base}: {error}") from error
        config = cli.plain_config
        like = next((name for name, other in configs.items() if {**config, "name": name} == other), None)
        if like is not None and not ablation.tracker:
            left_out[ablation.name] = f"the settings are those of {like} with this base"
        configs[ablation.name] = config
        try:
            cli.datamodule.check()
        except ReenactError as error:
            if ablation.name == REFERENCE:
                raise
            left_out[ablation.name] = str(error)
        if ablation.name == REFERENCE:
            target, steps = TrackedClip.load(cli.datamodule.folder), config["budget"]["max_batch_steps"]
    checked = Checked(target, steps, configs, left_out)
    for ablation, seed in study.members:
        _refuse_another(study.run(ablation, seed), _config(study, checked, ablation, seed))
    return checked


def train_all(study: Study, checked: Checked, train_missing: bool, tell: Callable[[str], None]) -> Problems:
    """Train what is not trained yet, one run after another.

    Args:
        study: see there.
        checked: of it.
        train_missing: else nothing is trained, and what is missing is a problem.
        tell: takes a line for each run.

    Raises:
        KeyboardInterrupt: it was stopped; the same call goes on there.
    """
    problems: Problems = {}
    for number, (ablation, seed) in enumerate(study.members, 1):
        run, where = study.run(ablation, seed), f"[{number}/{len(study.members)}] {ablation.name} seed {seed}"
        if ablation.name in checked.left_out:
            reason: str | None = checked.left_out[ablation.name]
        elif _is_finished(run, checked.configs[ablation.name]["budget"]["max_batch_steps"]):
            reason = None
            tell(f"{where}: is trained")
        elif not train_missing:
            reason = "not trained yet"
        else:
            log = _log_of(run)
            tell(f"{where}: training, see {log}")
            try:
                words = study.words(ablation, seed, _track(study, checked, ablation))
                outcome = run_training(f"{ablation.name} seed {seed}", words, log, _labels(checked, ablation))
                reason = None if outcome.state == "finished" else f"failed: {outcome.reason}"
            except ReenactError as error:
                reason = f"cannot be tracked: {error}"
        if reason is not None:
            problems[ablation.name, seed] = reason
            tell(f"{where}: {reason}")
    return problems


def train_member(study: Study, checked: Checked, number: int) -> None:
    """Become the training of one run: this process is replaced, so that signals reach it and its exit code counts.

    Raises:
        ReenactError: the clip cannot be tracked again.
    """
    ablation, seed = study.members[number]
    if ablation.name not in checked.left_out:
        become_training(study.words(ablation, seed, _track(study, checked, ablation)), _labels(checked, ablation))


def compare(study: Study, checked: Checked, problems: Problems) -> Table:
    """Measure all finished runs and the baselines, and write the tables, the page and the figures.

    Raises:
        ReenactError: no run of the reference is finished.
    """
    found = {ablation.name: _measure(study, checked, ablation, problems) for ablation in study.ablations}
    like = next(iter(found[REFERENCE].values()), None)
    if like is None:
        reasons = "; ".join(reason for (name, _), reason in problems.items() if name == REFERENCE)
        raise ReenactError(f"there is no run of {REFERENCE} to compare with ({reasons})")
    entries = [_entry(ablation, found[ablation.name], like, problems) for ablation in study.ablations]
    baselines = measured_baselines(checked.target, like, study.output / BASELINES)
    seeds = range(study.seeds)
    entries += [
        Entry(name, "baselines", {}, dict.fromkeys(seeds, series), {}, trained=False)
        for name, series in baselines.methods.items()
    ]
    fps = float(checked.target.fps)
    table = Table(_facts(study, checked, like), [make_row(entry, entries[0], fps) for entry in entries])
    write_tables(table, study.output)
    runs = {ablation.name: [study.run(ablation, seed) for seed in seeds] for ablation in study.ablations}
    write_study(table, read_curves(runs), study.output)
    return table


def _config(study: Study, checked: Checked, ablation: Ablation, seed: int) -> dict[str, Any]:
    config = {**checked.configs[ablation.name], "seed_everything": seed}
    if ablation.tracker:
        config["data"] = {**config["data"], "track": str(study.own_track(ablation))}
    return config


def _refuse_another(run: RunFolder, config: dict[str, Any]) -> None:
    """As ``RunFolder.claim``, without writing anything."""
    if not run.config.is_file() or not run.saved:
        return
    before, now = dict(flatten(yaml.safe_load(run.config.read_text()))), dict(flatten(config))
    for key in sorted(before.keys() | now.keys()):
        if key not in FREE_KEYS and before.get(key) != now.get(key):
            raise ReenactError(
                f"{run.path} holds a run with {key} = {before.get(key)}, but this study has {now.get(key)}: "
                "choose another folder with -o, or remove that one to train anew"
            )


def _log_of(run: RunFolder) -> Path:
    return run.path.with_suffix(".log")


def _is_finished(run: RunFolder, steps: int) -> bool:
    return run.best.is_file() and batch_step_of(run.newest()) >= steps


def _track(study: Study, checked: Checked, ablation: Ablation) -> str | None:
    """The track of an ablation that has one of its own, made if it is not there."""
    if not ablation.tracker:
        return None
    return str(track_again(checked.target, ablation.tracker, study.own_track(ablation), progress=False).folder)


def _labels(checked: Checked, ablation: Ablation) -> dict[str, str]:
    """How the run is found in Weights & Biases."""
    tags = ["ablation", ablation.question or "reference", checked.target.track.info.source]
    return {"WANDB_RUN_GROUP": ablation.name, "WANDB_TAGS": ",".join(tags)}


def _measure(study: Study, checked: Checked, ablation: Ablation, problems: Problems) -> dict[int, Measured]:
    """The runs of an ablation that can be measured, by seed; what cannot is added to the problems."""
    found = {}
    for seed in range(study.seeds):
        if (ablation.name, seed) in problems:
            continue
        run = study.run(ablation, seed)
        try:
            own = TrackedClip.load(study.own_track(ablation)) if ablation.tracker else checked.target
            found[seed] = measured(run.best, own, checked.target, run.path / EVALUATION)
        except ReenactError as error:
            problems[ablation.name, seed] = f"cannot be measured: {error}"
    return found


def _entry(ablation: Ablation, runs: dict[int, Measured], like: Measured, problems: Problems) -> Entry:
    comparable = {seed: run for seed, run in runs.items() if (run.test, run.size) == (like.test, like.size)}
    others = dict.fromkeys(runs.keys() - comparable.keys(), "measured on other frames")
    missing = {seed: reason for (name, seed), reason in problems.items() if name == ablation.name}
    series = {seed: run.methods[MODEL] for seed, run in comparable.items()}
    return Entry(ablation.name, ablation.question, ablation.changes, series, {**missing, **others})


def _facts(study: Study, checked: Checked, like: Measured) -> dict[str, Any]:
    source, test = checked.target.track.info.source, like.test
    block = block_length(float(checked.target.fps), len(test))
    note = (
        f"Frames {test.start} to {test.stop - 1} of {source}, which no training saw, at {like.size} pixels. {study.seeds} "
        f"trainings of each, {checked.steps} batch steps long. Values: mean over the seeds ± their standard deviation, and in "
        f"brackets the 95 % interval over frames (bootstrap over blocks of {block}). Differences: mean over the seeds of what "
        "was paired seed by seed and frame by frame, and in brackets the 95 % interval over frames and seeds together; better "
        "or worse stands only where it leaves out 0. With so many comparisons, one in twenty does so by chance."
    )
    if study.seeds == 1:
        note += " One seed tells nothing of how another training would end: these intervals are over frames alone."
    return {
        "target": source,
        "base": str(study.base),
        "steps": checked.steps,
        "seeds": study.seeds,
        "frames": [test.start, test.stop],
        "size": like.size,
        "block_frames": block,
        "note": note,
    }
