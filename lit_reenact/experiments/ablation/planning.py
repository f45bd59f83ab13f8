"""Checks of a whole study before hours are spent on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.split import SplitSettings
from lit_reenact.experiments.ablation.definition import Ablation
from lit_reenact.experiments.ablation.study import PeopleStudy, Study
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.cli import ReenactCLI, parse_config
from lit_reenact.training.run_folder import RunFolder


@dataclass(frozen=True)
class StudyPlan:
    """Facts about a study that are known before anything is trained.

    Attributes:
        target: clip on which all ablations are compared.
        steps: batch steps of each training.
        configs: ablation to every setting of its run with seed 0.
        left_out: ablation to the reason why it is not trained: the clip does not allow it, or another one has all its settings.
    """

    target: TrackedClip
    steps: int
    configs: dict[str, dict[str, Any]]
    left_out: dict[str, str]

    def batch_steps(self, ablation: Ablation) -> int:
        """Return the number of batch steps of an ablation's trainings."""
        steps: int = self.configs[ablation.name]["budget"]["max_batch_steps"]
        return steps


def plan_people(people: PeopleStudy) -> Mapping[str, StudyPlan]:
    """Plan the study of each person; see ``plan_study`` for what is refused."""
    return {person: plan_study(study) for person, study in people.studies.items()}


def plan_study(study: Study) -> StudyPlan:
    """Parse the configurations of all ablations, and check the folders of their runs.

    Raises:
        ReenactError: a setting is unknown or contradictory, the reference cannot use the data (such as a clip too short to hold
            anything out), or a folder holds a run of another configuration.
    """
    configs: dict[str, dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    reference = study.ablations[0].name
    for ablation in study.ablations:
        cli = _parse(study, ablation)
        config = cli.plain_config
        _refuse_other_protocol(study, ablation, config, configs)
        twin = next((name for name, other in configs.items() if {**config, "name": name} == other), None)
        if twin is not None and not ablation.tracker:
            left_out[ablation.name] = f"the settings are those of {twin} with this base"
        configs[ablation.name] = config
        try:
            cli.datamodule.check()
        except ReenactError as error:
            if ablation.name == reference:
                raise
            left_out[ablation.name] = str(error)
        if ablation.name == reference:
            target, steps = TrackedClip.load(cli.datamodule.folder), config["budget"]["max_batch_steps"]
    plan = StudyPlan(target, steps, configs, left_out)
    for ablation, seed in study.members:
        _refuse_another_run(study.run_folder(ablation, seed), _config(study, plan, ablation, seed))
    return plan


def _refuse_other_protocol(study: Study, ablation: Ablation, config: dict[str, Any], configs: dict[str, dict[str, Any]]) -> None:
    """Refuse an ablation whose held-out frames are others than the reference's, with which it would be compared."""
    own, base = (SplitSettings(**one["data"]["split"]).name for one in (config, configs.get(study.ablations[0].name, config)))
    if own != base:
        raise ReenactError(
            f"{ablation.file} splits the clip by {own}, but {study.base} by {base}: results of different protocols cannot be "
            f"compared, so set data.split in {study.base} alone"
        )


def _parse(study: Study, ablation: Ablation) -> ReenactCLI:
    try:
        return parse_config(study.arguments(ablation, seed=0))
    except ReenactError as error:
        raise ReenactError(f"{ablation.file or study.base}: {error}") from error


def _config(study: Study, plan: StudyPlan, ablation: Ablation, seed: int) -> dict[str, Any]:
    config = {**plan.configs[ablation.name], "seed_everything": seed}
    if ablation.tracker:
        config["data"] = {**config["data"], "track": str(study.own_track(ablation))}
    return config


def _refuse_another_run(run: RunFolder, config: dict[str, Any]) -> None:
    """Refuse what ``RunFolder.claim`` would refuse, without writing anything."""
    reason = run.other_settings(config)
    if reason is not None:
        raise ReenactError(f"{run.path} holds a run {reason}: choose another folder with -o, or remove that one to train again")
