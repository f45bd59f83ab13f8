"""The comparison of a study's finished runs with each other and with the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from lit_reenact.core.errors import ReenactError
from lit_reenact.evaluation.candidates import MODEL
from lit_reenact.experiments.ablation.definition import REFERENCE, Ablation
from lit_reenact.experiments.ablation.facts import describe
from lit_reenact.experiments.ablation.measurements import Measurements, measure_baselines, measure_checkpoint
from lit_reenact.experiments.ablation.page import read_curves, write_page
from lit_reenact.experiments.ablation.planning import StudyPlan
from lit_reenact.experiments.ablation.study import PeopleStudy, Problems, Study
from lit_reenact.experiments.ablation.table import Entry, Table, make_row
from lit_reenact.experiments.ablation.writing import write_tables
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.run_folder import RunFolder


@dataclass(frozen=True)
class PersonResults:
    """The measurements of one person's runs.

    Attributes:
        like: measurements of a run of the reference, whose frames and size the others must have.
        runs: ablation to seed to measurements.
        baselines: measurements of the baselines.
    """

    like: Measurements
    runs: Mapping[str, Mapping[int, Measurements]]
    baselines: Measurements


def compare(people: PeopleStudy, plans: Mapping[str, StudyPlan], problems: Mapping[str, Problems]) -> Table:
    """Measure all finished runs and the baselines, and write the tables, the page and the figures.

    Args:
        people: the study.
        plans: person to the plan of that person's study.
        problems: person to the runs that are missing; runs that cannot be measured are added. A person without a run of the
            reference is left out.

    Raises:
        ReenactError: no run of the reference is finished, or people's runs differ in protocol or size.
    """
    measured = {name: _measure_person(study, plans[name], problems[name]) for name, study in people.studies.items()}
    results = {name: one for name, one in measured.items() if one is not None}
    if not results:
        reasons = "; ".join(reason for one in problems.values() for (name, _), reason in one.items() if name == REFERENCE)
        raise ReenactError(f"there is no run of {REFERENCE} to compare with ({reasons})")
    refuse_differences(results)
    entries = [_entry(ablation, results, problems) for ablation in people.any.ablations]
    entries += _baseline_entries(people.any.seeds, results)
    fps = {name: float(plans[name].target.fps) for name in results}
    facts = describe(people, {name: plans[name] for name in results}, {name: one.like for name, one in results.items()})
    table = Table(facts, [make_row(entry, entries[0], fps) for entry in entries])
    write_tables(table, people.output)
    write_page(table, read_curves({one.name: _folders(people, one) for one in people.any.ablations}), people.output)
    return table


def _folders(people: PeopleStudy, ablation: Ablation) -> Sequence[RunFolder]:
    return [study.run_folder(ablation, seed) for study in people.studies.values() for seed in range(study.seeds)]


def _measure_person(study: Study, plan: StudyPlan, problems: Problems) -> PersonResults | None:
    """Measure all runs of a person; return None if there is no run of the reference."""
    runs = {ablation.name: _measure(study, plan, ablation, problems) for ablation in study.ablations}
    like = next(iter(runs[REFERENCE].values()), None)
    return None if like is None else PersonResults(like, runs, measure_baselines(plan.target, like, study.baselines))


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


def refuse_differences(results: Mapping[str, PersonResults]) -> None:
    """Refuse to average people whose runs were measured by different protocols or at different sizes.

    Raises:
        ReenactError: two people differ; the message names both.
    """
    first, *others = results.items()
    for name, one in others:
        own, like = ((result.like.protocol, result.like.size) for result in (one, first[1]))
        if own != like:
            raise ReenactError(
                f"the runs of {name} were measured by protocol {own[0]} at {own[1]} pixels, those of {first[0]} by {like[0]} at "
                f"{like[1]}: only one protocol and size can be compared, so train one of them again in another folder"
            )


def _entry(ablation: Ablation, results: Mapping[str, PersonResults], problems: Mapping[str, Problems]) -> Entry:
    series, missing = {}, {}
    for person, known in problems.items():
        missing[person] = {seed: reason for (name, seed), reason in known.items() if name == ablation.name}
        if person not in results:
            continue
        like, runs = results[person].like, results[person].runs[ablation.name]
        comparable = {seed: run for seed, run in runs.items() if (run.test, run.size) == (like.test, like.size)}
        missing[person] |= dict.fromkeys(runs.keys() - comparable.keys(), "measured on other frames")
        series[person] = {seed: run.methods[MODEL] for seed, run in comparable.items()}
    return Entry(ablation.name, ablation.question, ablation.changes, series, missing)


def _baseline_entries(seeds: int, results: Mapping[str, PersonResults]) -> list[Entry]:
    names = dict.fromkeys(chain.from_iterable(one.baselines.methods for one in results.values()))
    return [
        Entry(
            name,
            "baselines",
            {},
            {person: dict.fromkeys(range(seeds), one.baselines.methods[name]) for person, one in results.items()},
            {},
            is_trained=False,
        )
        for name in names
    ]
