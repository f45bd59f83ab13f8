"""Side-by-side videos of a benchmark, and the speed at which each network generated its frames."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.files import sha256_of, write_json
from lit_reenact.evaluation.baseline_frames import generate_baselines
from lit_reenact.evaluation.candidates import synthesise_candidate
from lit_reenact.experiments.ablation.measurements import scale_frames
from lit_reenact.experiments.benchmark.definition import Method
from lit_reenact.experiments.benchmark.measuring import best_checkpoint, finished_run
from lit_reenact.experiments.benchmark.planning import BenchmarkPlan, read_pictures
from lit_reenact.provenance import open_generated_video
from lit_reenact.provenance.record import Ingredient, Record
from lit_reenact.synthesis import OUTPUT_CRF
from lit_reenact.synthesis.inference import load_generator
from lit_reenact.tracking.trackfile import TRACK_NAME


@dataclass(frozen=True)
class ClipVideo:
    """The video of a clip.

    Attributes:
        path: .mp4 with the real frames on the left, then those of each method.
        methods: names of the methods from left to right.
        speeds: trained method to frames generated in a second.
    """

    path: Path
    methods: list[str]
    speeds: Mapping[str, float]


def write_videos(plan: BenchmarkPlan) -> dict[str, ClipVideo]:
    """Write the video of every clip, unless one of the same frames is there already; networks have the seed 0.

    Raises:
        ReenactError: a checkpoint cannot be read, or a video cannot be written or signed.
    """
    return {clip: _write(plan, clip) for clip in plan.targets}


def count_parameters(checkpoint: Path) -> int:
    """Return the number of weights of a checkpoint's generator."""
    return sum(weight.numel() for weight in load_generator(checkpoint).parameters())


def _write(plan: BenchmarkPlan, clip: str) -> ClipVideo:
    path = plan.output / "videos" / f"{clip}.mp4"
    shown = [method for method in plan.benchmark.methods if _is_there(plan, method, clip)]
    facts = {"size": str(plan.benchmark.size), "track": sha256_of(plan.targets[clip].folder / TRACK_NAME)}
    facts |= {method.name: _digest(plan, method, clip) for method in shown}
    notes = path.with_suffix(".json")
    speeds = _known_speeds(notes, facts) if path.is_file() else None
    if speeds is None:
        speeds = _generate(plan, clip, shown, path)
        write_json(notes, {"facts": facts, "frames_per_second": speeds})
    return ClipVideo(path, [method.name for method in shown], speeds)


def _is_there(plan: BenchmarkPlan, method: Method, clip: str) -> bool:
    return method.config is None or finished_run(plan, method, clip, 0) is not None


def _digest(plan: BenchmarkPlan, method: Method, clip: str) -> str:
    """Return what a method's frames depend on, beside the track."""
    if method.config is not None:
        return sha256_of(best_checkpoint(plan, method, clip, 0))
    if method.baseline:
        return method.baseline
    return json.dumps({file.name: sha256_of(file) for file in sorted(method.folder(clip).iterdir()) if file.is_file()})


def _known_speeds(notes: Path, facts: Mapping[str, str]) -> dict[str, float] | None:
    try:
        content = json.loads(notes.read_text(encoding="utf-8"))
        return dict(content["frames_per_second"]) if content["facts"] == facts else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _generate(plan: BenchmarkPlan, clip: str, shown: list[Method], path: Path) -> dict[str, float]:
    target, split, size = plan.targets[clip], plan.splits[clip], plan.benchmark.size
    baselines = generate_baselines(target, split, size) if any(method.baseline for method in shown) else {}
    speeds, columns = {}, [target.read(split.test, size)]
    for method in shown:
        start = time.perf_counter()
        columns.append(scale_frames(_frames(plan, method, clip, baselines), size))
        if method.config is not None:
            speeds[method.name] = round(len(split.test) / (time.perf_counter() - start), 2)
    record = Record(
        f"{target.track.info.source}, held-out frames: real, {', '.join(method.name for method in shown)}",
        (Ingredient.of(target.track, "target"),),
        settings={"protocol": split.protocol},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_generated_video(path, target.fps, record, crf=OUTPUT_CRF) as video:
        for rows in zip(*columns, strict=True):
            video.write(torch.cat(rows, dim=1))
    return speeds


def _frames(plan: BenchmarkPlan, method: Method, clip: str, baselines: Mapping[str, Tensor]) -> Tensor:
    target, split = plan.targets[clip], plan.splits[clip]
    if method.baseline:
        return baselines[method.baseline]
    if method.frames:
        return read_pictures(method, clip, target, split)
    return synthesise_candidate(target, best_checkpoint(plan, method, clip, 0), progress=False).frames
