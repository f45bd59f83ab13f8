"""The comparison of a study's finished runs with each other and with the baselines."""

from __future__ import annotations

from typing import Any

from lit_reenact.core.errors import ReenactError
from lit_reenact.evaluation.candidates import MODEL
from lit_reenact.evaluation.intervals import block_length
from lit_reenact.experiments.ablation.definition import REFERENCE, Ablation
from lit_reenact.experiments.ablation.measurements import Measurements, measure_baselines, measure_checkpoint
from lit_reenact.experiments.ablation.page import read_curves, write_page
from lit_reenact.experiments.ablation.planning import StudyPlan
from lit_reenact.experiments.ablation.study import Problems, Study
from lit_reenact.experiments.ablation.table import Entry, Table, make_row
from lit_reenact.experiments.ablation.writing import write_tables
from lit_reenact.tracking.tracked_clip import TrackedClip


def compare(study: Study, plan: StudyPlan, problems: Problems) -> Table:
    """Measure all finished runs and the baselines, and write the tables, the page and the figures.

    Args:
        study: the study.
        plan: plan of the study.
        problems: runs that are missing; runs that cannot be measured are added.

    Raises:
        ReenactError: no run of the reference is finished.
    """
    runs = {ablation.name: _measure(study, plan, ablation, problems) for ablation in study.ablations}
    like = next(iter(runs[REFERENCE].values()), None)
    if like is None:
        reasons = "; ".join(reason for (name, _), reason in problems.items() if name == REFERENCE)
        raise ReenactError(f"there is no run of {REFERENCE} to compare with ({reasons})")
    entries = [_entry(ablation, runs[ablation.name], like, problems) for ablation in study.ablations]
    entries += _baseline_entries(study, plan, like)
    fps = float(plan.target.fps)
    table = Table(_facts(study, plan, like), [make_row(entry, entries[0], fps) for entry in entries])
    write_tables(table, study.output)
    folders = {one.name: [study.run_folder(one, seed) for seed in range(study.seeds)] for one in study.ablations}
    write_page(table, read_curves(folders), study.output)
    return table


def _measure(study: Study, plan: StudyPlan, ablation: Ablation, problems: Problems) -> dict[int, Measurements]:
    """Measure the runs of an ablation, by seed; add those that cannot be measured to the problems."""
    runs = {}
    for seed in range(study.seeds):
        if (ablation.name, seed) in problems:
            continue
        try:
            driver = TrackedClip.load(study.own_track(ablation)) if ablation.tracker else plan.target
            checkpoint = study.run_folder(ablation, seed).best
            runs[seed] = measure_checkpoint(checkpoint, driver, plan.target, study.measurements(ablation, seed))
        except ReenactError as error:
            problems[ablation.name, seed] = f"cannot be measured: {error}"
    return runs


def _entry(ablation: Ablation, runs: dict[int, Measurements], like: Measurements, problems: Problems) -> Entry:
    comparable = {seed: run for seed, run in runs.items() if (run.test, run.size) == (like.test, like.size)}
    others = dict.fromkeys(runs.keys() - comparable.keys(), "measured on other frames")
    missing = {seed: reason for (name, seed), reason in problems.items() if name == ablation.name}
    series = {seed: run.methods[MODEL] for seed, run in comparable.items()}
    return Entry(ablation.name, ablation.question, ablation.changes, series, {**missing, **others})


def _baseline_entries(study: Study, plan: StudyPlan, like: Measurements) -> list[Entry]:
    baselines = measure_baselines(plan.target, like, study.baselines)
    return [
        Entry(name, "baselines", {}, dict.fromkeys(range(study.seeds), series), {}, is_trained=False)
        for name, series in baselines.methods.items()
    ]


def _facts(study: Study, plan: StudyPlan, like: Measurements) -> dict[str, Any]:
    source, test = plan.target.track.info.source, like.test
    block = block_length(float(plan.target.fps), len(test))
    note = (
        f"Frames {test.start} to {test.stop - 1} of {source} (protocol {like.protocol}), which no training saw, at {like.size} "
        f"pixels. {study.seeds} "
        f"trainings of each, {plan.steps} batch steps long. Values: mean over the seeds ± their standard deviation, and in "
        f"brackets the 95 % confidence interval over frames (bootstrap over blocks of {block}). Differences: mean over the seeds "
        "of the differences paired by seed and by frame, and in brackets the 95 % confidence interval over frames and seeds "
        "together; better or worse stands only where it leaves out 0. With so many comparisons, one in twenty does so by chance."
    )
    if study.seeds == 1:
        note += " One seed does not show how another training would end: these confidence intervals are over frames alone."
    return {
        "target": source,
        "base": str(study.base),
        "steps": plan.steps,
        "seeds": study.seeds,
        "protocol": like.protocol,
        "frames": [test.start, test.stop],
        "size": like.size,
        "block_frames": block,
        "note": note,
    }
