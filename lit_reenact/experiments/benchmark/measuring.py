"""Held-out measurements of every method of a benchmark, each kept in a file until what it measures changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lit_reenact.core.errors import ReenactError
from lit_reenact.evaluation.candidates import MODEL
from lit_reenact.experiments.ablation.measurements import (
    Measurements,
    measure_baselines,
    measure_checkpoint,
    measure_pictures,
)
from lit_reenact.experiments.ablation.study import Problems
from lit_reenact.experiments.ablation.table import Entry, Series
from lit_reenact.experiments.ablation.training import is_finished
from lit_reenact.experiments.benchmark.definition import Method
from lit_reenact.experiments.benchmark.planning import BenchmarkPlan, read_pictures
from lit_reenact.training.run_folder import RunFolder


def measure_all(plan: BenchmarkPlan, problems: Mapping[str, Mapping[str, Problems]]) -> list[Entry]:
    """Measure every method on every clip.

    Args:
        plan: the benchmark.
        problems: trained method to clip to the runs that are missing.

    Returns:
        An entry for each method, in the order of the file.

    Raises:
        ReenactError: there is no run of the first method to compare the others with, or the frames of another system changed.
    """
    entries = [_entry(plan, method, problems.get(method.name, {})) for method in plan.benchmark.methods]
    if not any(entries[0].runs.values()):
        raise ReenactError(f"there is no run of {entries[0].name}, the first method: {'; '.join(entries[0].problem_list)}")
    return entries


def _entry(plan: BenchmarkPlan, method: Method, problems: Mapping[str, Problems]) -> Entry:
    reasons = {clip: {seed: reason for (_, seed), reason in known.items()} for clip, known in problems.items()}
    runs = {clip: _measure(plan, method, clip, reasons.get(clip, {})) for clip in plan.targets}
    changes = {"config": str(method.config)} if method.config is not None else {}
    return Entry(method.name, "method", changes, runs, reasons, is_trained=method.config is not None)


def _measure(plan: BenchmarkPlan, method: Method, clip: str, missing: Mapping[int, str]) -> dict[int, Series]:
    target, split, size = plan.targets[clip], plan.splits[clip], plan.benchmark.size
    folder = plan.output / "measurements"
    if method.baseline:
        like = Measurements(split.train, split.test, size, split.protocol, {})
        return dict.fromkeys(
            _seeds(plan), measure_baselines(target, like, folder / f"{clip}-baselines.json").methods[method.baseline]
        )
    if method.frames:
        cache = folder / f"{clip}-{method.name}.json"
        measured = measure_pictures(read_pictures(method, clip, target, split), target, split, size, cache)
        return dict.fromkeys(_seeds(plan), measured.methods[MODEL])
    runs: dict[int, Series] = {}
    for seed in _seeds(plan):
        if seed not in missing:
            checkpoint, cache = best_checkpoint(plan, method, clip, seed), folder / f"{clip}-{method.name}-{seed}.json"
            runs[seed] = measure_checkpoint(checkpoint, target, target, cache, size).methods[MODEL]
    return runs


def best_checkpoint(plan: BenchmarkPlan, method: Method, clip: str, seed: int) -> Path:
    """Return the best checkpoint of a training."""
    return _run(plan, method, clip, seed).best


def finished_run(plan: BenchmarkPlan, method: Method, clip: str, seed: int) -> RunFolder | None:
    """Return the folder of a training that is complete, as the table needs it; None for another one."""
    one = plan.trainings[method.name]
    run, ablation = _run(plan, method, clip, seed), one.study.studies[clip].ablations[0]
    return run if is_finished(run, one.plans[clip].batch_steps(ablation)) else None


def _run(plan: BenchmarkPlan, method: Method, clip: str, seed: int) -> RunFolder:
    study = plan.trainings[method.name].study.studies[clip]
    return study.run_folder(study.ablations[0], seed)


def _seeds(plan: BenchmarkPlan) -> range:
    return range(plan.benchmark.seeds)
