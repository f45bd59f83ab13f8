"""The results of a benchmark: one row a method, ranks, costs and videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lit_reenact.experiments.ablation.study import Problems
from lit_reenact.experiments.ablation.table import Row, make_row
from lit_reenact.experiments.ablation.writing import MAIN_METRICS
from lit_reenact.experiments.benchmark.costs import Costs, training_seconds
from lit_reenact.experiments.benchmark.definition import Method
from lit_reenact.experiments.benchmark.measuring import finished_run, measure_all
from lit_reenact.experiments.benchmark.planning import BenchmarkPlan
from lit_reenact.experiments.benchmark.ranks import mean_ranks
from lit_reenact.experiments.benchmark.videos import ClipVideo, count_parameters, write_videos


@dataclass(frozen=True)
class Results:
    """Everything that a benchmark found out.

    Attributes:
        plan: the benchmark.
        rows: the methods in the order of the file, with their differences to the first.
        ranks: method to its mean rank over clips and metrics.
        costs: method to its costs.
        videos: clip to its video.
    """

    plan: BenchmarkPlan
    rows: Sequence[Row]
    ranks: Mapping[str, float]
    costs: Mapping[str, Costs]
    videos: Mapping[str, ClipVideo]

    @property
    def metrics(self) -> list[str]:
        """Metrics that all methods have, of those that people read."""
        return [name for name in MAIN_METRICS if all(name in row.metrics for row in self.rows if row.metrics)]

    @property
    def note(self) -> str:
        """Explanation of the numbers, for people."""
        benchmark, clips = self.plan.benchmark, self.plan.targets
        several = len(clips) > 1
        over = (
            "clips, seeds and blocks of frames (hierarchical bootstrap, at least Student's t over the clips)"
            if several
            else "blocks of frames (bootstrap)"
        )
        steps = "as many batch steps as its configuration says" if benchmark.steps is None else f"{benchmark.steps} batch steps"
        return (
            f"Held-out frames of {', '.join(clips)} by protocol {benchmark.protocol}, which no training saw, all at "
            f"{benchmark.size} pixels: smaller frames of a method are enlarged (bicubic), larger ones averaged. "
            f"{benchmark.seeds} trainings of each configuration on each clip, {steps} long. In brackets the 95 % confidence "
            f"interval over {over}. Rank: mean over clips and metrics of the place among all methods, 1 is the best; ties share "
            "theirs. Training seconds are those of the batches alone."
        )


def compare(plan: BenchmarkPlan, problems: Mapping[str, Mapping[str, Problems]]) -> Results:
    """Measure all methods on all clips and write the videos.

    Args:
        plan: the benchmark.
        problems: trained method to clip to the runs that are missing.

    Raises:
        ReenactError: there is no run of the first method, or frames of another system changed meanwhile.
    """
    entries = measure_all(plan, problems)
    fps = {clip: float(target.fps) for clip, target in plan.targets.items()}
    rows = [make_row(entry, entries[0], fps) for entry in entries]
    videos = write_videos(plan)
    costs = {method.name: _costs(plan, method, videos) for method in plan.benchmark.methods}
    results = Results(plan, rows, {}, costs, videos)
    return Results(plan, rows, mean_ranks(rows, results.metrics), costs, videos)


def _costs(plan: BenchmarkPlan, method: Method, videos: Mapping[str, ClipVideo]) -> Costs:
    checkpoint = _any_checkpoint(plan, method)
    if checkpoint is None:
        return Costs()
    speeds = [video.speeds[method.name] for video in videos.values() if method.name in video.speeds]
    speed = sum(speeds) / len(speeds) if speeds else None
    return Costs(training_seconds(plan, method), speed, count_parameters(checkpoint))


def _any_checkpoint(plan: BenchmarkPlan, method: Method) -> Path | None:
    if method.config is None:
        return None
    runs = (finished_run(plan, method, clip, seed) for clip in plan.targets for seed in range(plan.benchmark.seeds))
    return next((run.best for run in runs if run is not None), None)
