"""A study: ablations of one base on one clip or on several people's, and where everything of it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from lit_reenact.experiments.ablation.definition import Ablation
from lit_reenact.tracking.trackfile import track_files
from lit_reenact.training.run_folder import RunFolder

RESULTS = ("table.csv", "table.json", "table.md", "report.html", "figures")
"""Files and folders of the comparison, in the folder of the study."""


class Member(NamedTuple):
    """One training of a study of several people.

    Attributes:
        person: name of the person.
        ablation: the ablation to train.
        seed: seed of the training.
    """

    person: str
    ablation: Ablation
    seed: int


Problems = dict[tuple[str, int], str]
"""Name of an ablation and seed of a run to the reason why the run is missing from the comparison."""


@dataclass(frozen=True)
class Study:
    """Ablations of one base on one clip.

    Attributes:
        base: configuration file.
        track: folder of the clip's track, as given to ``--track``.
        output: folder of all runs, tracks, tables and figures.
        seeds: number of trainings of each ablation.
        steps: batch steps of each training; None for those of the base.
        ablations: the ablations, the reference first.
        person: name of the person in a study of several people; empty for a study of one clip.
        extra: further arguments of every training.
        kind: tag of the runs in Weights & Biases.
    """

    base: Path
    track: str
    output: Path
    seeds: int
    steps: int | None
    ablations: Sequence[Ablation]
    person: str = ""
    extra: Sequence[str] = ()
    kind: str = "ablation"

    @property
    def members(self) -> list[tuple[Ablation, int]]:
        """Every ablation with every seed. All ablations of one seed come before the next seed, so early results compare."""
        return [(ablation, seed) for seed in range(self.seeds) for ablation in self.ablations]

    @property
    def baselines(self) -> Path:
        """Measurements of the baselines."""
        return self.output / "baselines.json"

    def run_folder(self, ablation: Ablation, seed: int) -> RunFolder:
        """Return the folder of one training."""
        return RunFolder(self.output / ablation.name / f"seed-{seed}")

    def log(self, ablation: Ablation, seed: int) -> Path:
        """Return the text file with the output of one training."""
        return self.output / ablation.name / f"seed-{seed}.log"

    def measurements(self, ablation: Ablation, seed: int) -> Path:
        """Return the file with the measurements of one run."""
        return self.run_folder(ablation, seed).path / "evaluation" / "metrics.json"

    def own_track(self, ablation: Ablation) -> Path:
        """Return the folder to which the clip is tracked again for an ablation of the tracker."""
        return self.output / "tracks" / ablation.name

    def arguments(self, ablation: Ablation, seed: int, track: str | None = None) -> list[str]:
        """Return the arguments of ``lit-reenact fit`` for one training.

        Args:
            ablation: the ablation to train.
            seed: seed of the training.
            track: folder of a track to use instead of the study's; None for the study's.
        """
        words = ["--config", str(self.base)]
        if ablation.file is not None and not ablation.tracker:
            words += ["--config", str(ablation.file)]
        words += ["--track", track or self.track, "--name", ablation.name, "--output", str(self.output)]
        words += ["--seed_everything", str(seed), "--trainer.enable_progress_bar", "false", *self.extra]
        return words if self.steps is None else [*words, "--budget.max_batch_steps", str(self.steps)]

    def written_files(self) -> Iterator[Path]:
        """Yield everything that the study writes but the results: files, and folders whose whole content is its own."""
        yield self.baselines
        yield from (file for one in self.ablations if one.tracker for file in track_files(self.own_track(one)))
        for member in self.members:
            yield from (*self.run_folder(*member).written, self.measurements(*member), self.log(*member))


@dataclass(frozen=True)
class PeopleStudy:
    """The same ablations on several people, each trained on one person's track; or on one.

    Attributes:
        output: folder of the results, and of everything else.
        studies: person to the study of that person's clip.

    Example:
        >>> people = PeopleStudy.of(study, {"anna": "tracks/anna", "ben": "tracks/ben"})
        >>> people.studies["anna"].run_folder(ablation, seed=0).path  # OUTPUT/anna/ABLATION/seed-0
    """

    output: Path
    studies: Mapping[str, Study]

    @classmethod
    def of(cls, study: Study, tracks: Mapping[str, str]) -> PeopleStudy:
        """Return the study on several people's tracks.

        Args:
            study: the study on any of the tracks. With a single track its files stay where they are; with several, those of a
                person are in ``OUTPUT/PERSON``.
            tracks: person to the folder of that person's track.
        """
        if len(tracks) == 1:
            return cls(study.output, {person: replace(study, track=track) for person, track in tracks.items()})
        each = {
            person: replace(study, track=track, output=study.output / person, person=person) for person, track in tracks.items()
        }
        return cls(study.output, each)

    @property
    def any(self) -> Study:
        """The first person's study, for everything in which the studies are equal."""
        return next(iter(self.studies.values()))

    @property
    def members(self) -> list[Member]:
        """Every training. All people's ablations of one seed come before the next seed, so early results compare."""
        people, one = self.studies, self.any
        return [Member(person, ablation, seed) for seed in range(one.seeds) for person in people for ablation in one.ablations]

    def written_files(self) -> Iterator[Path]:
        """Yield everything that the study writes: files, and folders whose whole content is its own."""
        yield from (self.output / name for name in RESULTS)
        for study in self.studies.values():
            yield from study.written_files()
