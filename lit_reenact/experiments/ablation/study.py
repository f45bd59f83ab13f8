"""A study: ablations of one base on one clip, each trained with several seeds, and where everything of it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lit_reenact.experiments.ablation.definition import Ablation
from lit_reenact.tracking.trackfile import track_files
from lit_reenact.training.run_folder import RunFolder

RESULTS = ("table.csv", "table.json", "table.md", "report.html", "figures")
"""Files and folders of the comparison, in the folder of the study."""

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
    """

    base: Path
    track: str
    output: Path
    seeds: int
    steps: int | None
    ablations: Sequence[Ablation]

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
        words += ["--seed_everything", str(seed), "--trainer.enable_progress_bar", "false"]
        return words if self.steps is None else [*words, "--budget.max_batch_steps", str(self.steps)]

    def written_files(self) -> Iterator[Path]:
        """Yield everything that the study writes: files, and folders whose whole content is its own."""
        yield from (self.output / name for name in RESULTS)
        yield self.baselines
        yield from (file for one in self.ablations if one.tracker for file in track_files(self.own_track(one)))
        for member in self.members:
            yield from (*self.run_folder(*member).written, self.measurements(*member), self.log(*member))
