"""Everything that can be refused before hours are spent on a benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.split import Split
from lit_reenact.evaluation.frame_folder import read_frame_folder
from lit_reenact.evaluation.heldout import held_out_split
from lit_reenact.experiments.ablation.definition import Ablation
from lit_reenact.experiments.ablation.planning import StudyPlan, plan_people
from lit_reenact.experiments.ablation.study import PeopleStudy, Study
from lit_reenact.experiments.benchmark.definition import OWN_FOLDERS, Benchmark, Method
from lit_reenact.tracking.tracked_clip import TrackedClip

RESULTS = ("table.csv", "table.json", "table.md", "table.tex", "report.html")
"""Files of the comparison, in the folder of the benchmark."""


@dataclass(frozen=True)
class Trainings:
    """The trainings of one configuration on all clips.

    Attributes:
        study: runs of each clip and seed.
        plans: clip to what is known of its runs before they are trained.
    """

    study: PeopleStudy
    plans: Mapping[str, StudyPlan]


@dataclass(frozen=True)
class BenchmarkPlan:
    """Facts about a benchmark that are known before anything is trained.

    Attributes:
        benchmark: the benchmark.
        output: folder of all runs, tables and videos.
        targets: clip to its track.
        splits: clip to its parts.
        trainings: trained method to its trainings.
    """

    benchmark: Benchmark
    output: Path
    targets: Mapping[str, TrackedClip]
    splits: Mapping[str, Split]
    trainings: Mapping[str, Trainings]

    @property
    def members(self) -> list[tuple[str, int]]:
        """Every training: its method and its number among the method's own; one seed of all methods comes before the next."""
        counted = [
            (member.seed, name, number) for name, one in self.trainings.items() for number, member in enumerate(one.study.members)
        ]
        order = {name: place for place, name in enumerate(self.trainings)}
        return [(name, number) for _, name, number in sorted(counted, key=lambda one: (one[0], order[one[1]], one[2]))]


def plan_benchmark(benchmark: Benchmark, output: Path) -> BenchmarkPlan:
    """Check clips, frames and configurations.

    Raises:
        ReenactError: a track cannot be read, is smaller than the frames that are compared or too short for the protocol; a
            folder of frames is not complete; a configuration cannot be used; or a folder holds a run of another one.
    """
    targets = {name: TrackedClip.load(Path(track)) for name, track in benchmark.clips.items()}
    splits = {}
    for name, target in targets.items():
        if target.track.camera.width < benchmark.size:
            raise ReenactError(
                f"{target.folder} holds frames of {target.track.camera.width} pixels, fewer than size {benchmark.size} in "
                f"{benchmark.file}: choose a smaller size, or track the clip with a larger --size"
            )
        splits[name] = held_out_split(target, protocol=benchmark.protocol)
    for method in benchmark.methods:
        if method.frames:
            for name in targets:
                read_pictures(method, name, targets[name], splits[name])
    studies = _studies(benchmark, output)
    trainings = {name: Trainings(study, plan_people(study)) for name, study in studies.items()}
    return BenchmarkPlan(benchmark, output, targets, splits, trainings)


def _studies(benchmark: Benchmark, output: Path) -> dict[str, PeopleStudy]:
    return {method.name: _study(benchmark, method, output) for method in benchmark.trained}


def _study(benchmark: Benchmark, method: Method, output: Path) -> PeopleStudy:
    assert method.config is not None
    ablation = Ablation(method.name, method.changes, {}, {})
    track = next(iter(benchmark.clips.values()))
    extra = ("--data.split.protocol", benchmark.protocol)
    study = Study(method.config, track, output, benchmark.seeds, benchmark.steps, [ablation], extra=extra, kind="benchmark")
    return PeopleStudy.of(study, benchmark.clips)


def read_pictures(method: Method, name: str, target: TrackedClip, split: Split) -> Tensor:
    """Read another system's frames of the held-out part of a clip, uint8 (N, S, S, 3).

    Raises:
        ReenactError: a frame is missing or cannot be read.
    """
    described = f"frames {split.test.start} to {split.test.stop - 1} of {target.clip}, its held-out part by {split.protocol}"
    return read_frame_folder(method.folder(name), len(split.test), target.track.camera.width, described)


def written_files(benchmark: Benchmark, output: Path) -> Iterator[Path]:
    """Yield everything that the benchmark writes: files, and folders whose whole content is its own."""
    yield from (output / name for name in RESULTS)
    yield from (output / name for name in OWN_FOLDERS)
    for people in _studies(benchmark, output).values():
        for study in people.studies.values():
            for ablation, seed in study.members:
                yield from (*study.run_folder(ablation, seed).written, study.log(ablation, seed))
