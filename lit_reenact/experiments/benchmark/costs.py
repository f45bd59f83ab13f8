"""Costs of the trained methods of a benchmark: training time, speed of synthesis, size of the generator."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from lit_reenact.experiments.benchmark.definition import Method
from lit_reenact.experiments.benchmark.measuring import finished_run
from lit_reenact.experiments.benchmark.planning import BenchmarkPlan
from lit_reenact.training.run_folder import RunFolder, joined_curves


@dataclass(frozen=True)
class Costs:
    """Costs of a method; None for what it does not have.

    Attributes:
        training_seconds: mean duration of a training's batches, without validations.
        frames_per_second: held-out frames generated in a second on this machine, rendering included.
        parameters: weights of the generator.
    """

    training_seconds: float | None = None
    frames_per_second: float | None = None
    parameters: int | None = None


def training_seconds(plan: BenchmarkPlan, method: Method) -> float | None:
    """Return the mean duration of the batches of a method's trainings, seconds; None if no run logged its speed."""
    durations = [seconds for run in _runs(plan, method) for seconds in _duration(run)]
    return statistics.mean(durations) if durations else None


def _runs(plan: BenchmarkPlan, method: Method) -> Iterator[RunFolder]:
    for clip in plan.targets:
        for seed in range(plan.benchmark.seeds):
            run = finished_run(plan, method, clip, seed)
            if run is not None:
                yield run


def _duration(run: RunFolder) -> Iterator[float]:
    """Yield batches times windows in a batch over the median windows in a second, if the run logged them."""
    speeds = joined_curves(run.metrics).get("throughput/windows_per_second", {})
    if speeds:
        batch_size = yaml.safe_load(run.config.read_text(encoding="utf-8"))["data"]["batch_size"]
        windows = run.batch_step() * int(batch_size)
        yield windows / statistics.median(speeds.values())
