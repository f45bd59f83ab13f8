"""The trainings of a study, one after another or as the tasks of a job array."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lit_reenact.core.errors import ReenactError
from lit_reenact.experiments.ablation.definition import Ablation
from lit_reenact.experiments.ablation.planning import StudyPlan
from lit_reenact.experiments.ablation.study import PeopleStudy, Problems, Study
from lit_reenact.experiments.ablation.tracking import track_again
from lit_reenact.experiments.processes import become_training, run_training
from lit_reenact.training.run_folder import RunFolder, batch_step_of


def train_all(
    people: PeopleStudy, plans: Mapping[str, StudyPlan], train_missing: bool, report: Callable[[str], None]
) -> dict[str, Problems]:
    """Train every run that is not trained yet, one after another.

    Args:
        people: the study.
        plans: person to the plan of that person's study.
        train_missing: if False, nothing is trained and every missing run is a problem.
        report: function that takes a line for each run.

    Returns:
        Person to the runs that are missing.

    Raises:
        KeyboardInterrupt: the user stopped the training; the same call resumes it.
    """
    problems: dict[str, Problems] = {person: {} for person in people.studies}
    for number, (person, ablation, seed) in enumerate(people.members, 1):
        study, plan = people.studies[person], plans[person]
        where = f"[{number}/{len(people.members)}] {_title(study, ablation, seed)}"
        problem = plan.left_out.get(ablation.name)
        if problem is None and is_finished(study.run_folder(ablation, seed), plan.batch_steps(ablation)):
            report(f"{where}: is trained")
        elif problem is None and not train_missing:
            problem = "not trained yet"
        elif problem is None:
            report(f"{where}: training, see {study.log(ablation, seed)}")
            problem = _train(study, plan, ablation, seed)
        if problem is not None:
            problems[person][ablation.name, seed] = problem
            report(f"{where}: {problem}")
    return problems


def train_member(people: PeopleStudy, plans: Mapping[str, StudyPlan], number: int) -> None:
    """Replace this process by the training of one run; do nothing for an ablation that the plan leaves out.

    Raises:
        ReenactError: the clip cannot be tracked again.
    """
    person, ablation, seed = people.members[number]
    study, plan = people.studies[person], plans[person]
    if ablation.name not in plan.left_out:
        become_training(_arguments(study, plan, ablation, seed), _labels(study, plan, ablation))


def _title(study: Study, ablation: Ablation, seed: int) -> str:
    return f"{study.person} {ablation.name} seed {seed}".lstrip()


def _train(study: Study, plan: StudyPlan, ablation: Ablation, seed: int) -> str | None:
    """Train one run; return the reason if that fails."""
    try:
        arguments = _arguments(study, plan, ablation, seed)
    except ReenactError as error:
        return f"cannot be tracked: {error}"
    outcome = run_training(_title(study, ablation, seed), arguments, study.log(ablation, seed), _labels(study, plan, ablation))
    return None if outcome.state == "finished" else f"failed: {outcome.reason}"


def is_finished(run: RunFolder, steps: int) -> bool:
    """Return whether a run has a best checkpoint and was trained for this many batch steps."""
    return run.best.is_file() and batch_step_of(run.newest()) >= steps


def _arguments(study: Study, plan: StudyPlan, ablation: Ablation, seed: int) -> list[str]:
    """Return the arguments of one training. The track of an ablation that has its own is made if it is missing."""
    track = None
    if ablation.tracker:
        track = str(track_again(plan.target, ablation.tracker, study.own_track(ablation), progress=False).folder)
    return study.arguments(ablation, seed, track)


def _labels(study: Study, plan: StudyPlan, ablation: Ablation) -> dict[str, str]:
    """Return the environment that groups and tags the run in Weights & Biases."""
    tags = [study.kind, ablation.question or "reference", plan.target.track.info.source]
    tags += [study.person] if study.person else []
    return {"WANDB_RUN_GROUP": ablation.name, "WANDB_TAGS": ",".join(tags)}
