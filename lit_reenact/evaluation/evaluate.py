"""Anybody's frames against the held-out part of a track: every metric with its interval, as numbers, tables and pictures."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.errors import ReenactError
from lit_reenact.evaluation.fidelity import measure_motion
from lit_reenact.evaluation.frame_folder import read_frame_folder
from lit_reenact.evaluation.heldout import Values, measure
from lit_reenact.evaluation.intervals import LEVEL, SAMPLES, Estimate, block_length, estimate
from lit_reenact.evaluation.self_reenactment import baseline_frames
from lit_reenact.evaluation.steadiness import measure_steadiness
from lit_reenact.face import load_face_model
from lit_reenact.inference import Precision, load_generator, read_checkpoint
from lit_reenact.losses import Lpips
from lit_reenact.reenactment import TrackedClip, synthesise
from lit_reenact.rendering.ablations import make_renderer
from lit_reenact.split import Split, temporal_split

MODEL = "model"
"""The method whose frames are evaluated; the others are baselines."""


@dataclass(frozen=True)
class Candidate:
    """Frames to be evaluated.

    Attributes:
        origin: what made them, for people.
        split: of the clip; the frames belong to its test part.
        frames: uint8 (N, S, S, 3).
    """

    origin: str
    split: Split
    frames: Tensor


@dataclass(frozen=True)
class Evaluation:
    """What was measured on the N frames of the test part.

    Attributes:
        target: name of the clip's source.
        origin: what made the frames.
        frames: numbers of the test part in the clip.
        fps: frames per second.
        real: uint8 (N, S, S, 3).
        made: the same.
        values: method to metric to value of each frame (N,) or (N, K), NaN where there is none; the model comes first.
        estimates: method to metric to value and interval.
        motion: metric to value and interval of the model's motion; empty if it was not tracked again.
    """

    target: str
    origin: str
    frames: range
    fps: float
    real: Tensor
    made: Tensor
    values: Values
    estimates: dict[str, dict[str, Estimate]]
    motion: dict[str, Estimate]

    @property
    def measured(self) -> int:
        """Frames that show a known face and so count."""
        return int((~self.values[MODEL]["l1"].isnan()).sum())

    @property
    def block(self) -> int:
        """Frames in a block of the bootstrap."""
        return block_length(self.fps, self.measured)


def synthesised(
    target: TrackedClip, checkpoint: Path, device: str = "cpu", precision: Precision = "float32", progress: bool = True
) -> Candidate:
    """The test part as a trained network makes it, driven by its own tracked motion.

    Raises:
        ReenactError: as ``load_generator``, or the clip is too short to have a test part.
    """
    generator = load_generator(checkpoint, device, target.track, precision)
    trained_on = read_checkpoint(checkpoint).get("datamodule_hyper_parameters", {})
    fractions = tuple(trained_on.get("fractions", (0.7, 0.1)))
    split = temporal_split(len(target.track), float(target.fps), fractions, generator.shape.span)
    parameters = target.track.parameters[split.test.start : split.test.stop]
    label = "held-out frames" if progress else None
    chunks = synthesise(generator, target.track, parameters, _cuts_in(target, split.test), label)
    return Candidate(f"checkpoint {checkpoint.name}", split, torch.cat([frames for _, frames, _ in chunks]))


def from_folder(target: TrackedClip, folder: Path) -> Candidate:
    """The test part as another system made it: a picture a frame, in the order of their names.

    Raises:
        ReenactError: as ``read_frame_folder``, or the clip is too short to have a test part.
    """
    split = temporal_split(len(target.track), float(target.fps), window=1)  # whatever this system looks at
    what = f"frames {split.test.start} to {split.test.stop - 1} of {target.clip}, its held-out part"
    frames = read_frame_folder(folder, len(split.test), target.track.camera.width, what)
    return Candidate(f"pictures in {folder.name}", split, frames)


def evaluate(target: TrackedClip, candidate: Candidate, track_again: bool = False, progress: bool = True) -> Evaluation:
    """Measure the frames, and those of both baselines, against the real ones.

    Args:
        target: the clip.
        candidate: the frames.
        track_again: whether to find the motion in the candidate's frames again and compare it too.
        progress: whether to show progress bars.

    Raises:
        ReenactError: no face is known in the test part; with ``track_again``, none is found.
    """
    track, test, size = target.track, candidate.split.test, candidate.frames.shape[1]
    known = track.valid[test.start : test.stop]
    if not known.any():
        raise ReenactError(f"{target.clip} shows no face in its held-out part, so nothing can be measured: use another video")
    real = target.read(test, size)
    outputs = {MODEL: candidate.frames, **baseline_frames(target, candidate.split, size)}
    renderer = make_renderer(load_face_model(track.info.face_model), track.actor, track.camera, size)
    regions = renderer.regions(track.parameters[test.start : test.stop])
    values = measure(outputs, real, regions, _trained_lpips())
    cuts = _cuts_in(target, test)
    follows = torch.ones(len(test), dtype=torch.bool)
    follows[[0, *cuts]] = False
    steadiness = measure_steadiness(outputs, real, follows)
    values = {method: _where(known, metrics | steadiness[method]) for method, metrics in values.items()}
    fps = float(target.fps)
    motion = measure_motion(candidate.frames, real, target.fps, cuts, progress) if track_again else {}
    return Evaluation(
        target=track.info.source,
        origin=candidate.origin,
        frames=test,
        fps=fps,
        real=real,
        made=candidate.frames,
        values=values,
        estimates={
            method: {name: estimate(name, series, fps) for name, series in metrics.items()} for method, metrics in values.items()
        },
        motion={name: estimate(name, series, fps) for name, series in motion.items()},
    )


def write_numbers(evaluation: Evaluation, folder: Path) -> None:
    """Write ``metrics.json`` (means and intervals) and ``frames.csv`` (the values of every frame).

    The same frames give the same files, byte for byte.
    """
    methods = {
        method: {name: _plain(value) for name, value in metrics.items()} for method, metrics in evaluation.estimates.items()
    }
    results = {
        "target": evaluation.target,
        "origin": evaluation.origin,
        "frames": [evaluation.frames.start, evaluation.frames.stop],
        "measured": evaluation.measured,
        "size": evaluation.real.shape[1],
        "interval": {"level": LEVEL, "samples": SAMPLES, "block_frames": evaluation.block},
        "methods": methods,
        "motion": {name: _plain(value) for name, value in evaluation.motion.items()},
    }
    write_whole(folder / "metrics.json", json.dumps(results, indent=2) + "\n")
    write_whole(folder / "frames.csv", _frame_table(evaluation))


def write_whole(path: Path, text: str) -> None:
    """Write a text file that appears under its name only when it is complete."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _frame_table(evaluation: Evaluation) -> str:
    """A row for every method and frame; of metrics that compare two series, the method's own."""
    names = list(evaluation.values[MODEL])
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["method", "frame", "seconds", *names])
    for method, metrics in evaluation.values.items():
        columns = [metrics[name].reshape(len(evaluation.frames), -1)[:, 0].tolist() for name in names]
        for number, row in zip(evaluation.frames, zip(*columns, strict=True), strict=True):
            shown = ["" if math.isnan(value) else f"{value:.6g}" for value in row]
            writer.writerow([method, number, f"{number / evaluation.fps:.3f}", *shown])
    return table.getvalue()


def _where(known: Tensor, metrics: dict[str, Tensor]) -> dict[str, Tensor]:
    """The values (N, ...) of frames that count, bool (N,); NaN in the others."""
    return {name: torch.where(known.view(-1, *[1] * (series.ndim - 1)), series, torch.nan) for name, series in metrics.items()}


def _plain(value: Estimate) -> dict[str, float | None]:
    """What JSON can hold: no infinity, no NaN."""
    names = {"mean": value.value, "low": value.low, "high": value.high}
    return {name: round(number, 6) if math.isfinite(number) else None for name, number in names.items()}


def _cuts_in(target: TrackedClip, frames: range) -> tuple[int, ...]:
    """Cuts within a part of the clip, counted from its start."""
    return tuple(cut - frames.start for cut in target.track.info.cuts if cut in frames[1:])


def _trained_lpips() -> Lpips | None:
    """LPIPS if its network's weights are on this machine: with random ones it would measure nothing worth telling."""
    lpips = Lpips("auto")
    return None if lpips.backbone == "untrained" else lpips
