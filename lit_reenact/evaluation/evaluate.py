"""Anybody's frames against the held-out part of a track: every metric with its interval, as numbers, tables and pictures."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import write_json, write_text
from lit_reenact.core.parallel import single_threaded
from lit_reenact.core.split import Split, temporal_split
from lit_reenact.evaluation.edit_fidelity import EditFidelity, bent_edits, network_edits
from lit_reenact.evaluation.fidelity import measure_motion
from lit_reenact.evaluation.frame_folder import read_frame_folder
from lit_reenact.evaluation.heldout import Values, measure
from lit_reenact.evaluation.intervals import LEVEL, SAMPLES, Estimate, block_length, estimate
from lit_reenact.evaluation.recognition import measure_fid, measure_identity
from lit_reenact.evaluation.self_reenactment import EVERY, SIMPLEST, baseline_frames
from lit_reenact.evaluation.statistics import summarise
from lit_reenact.evaluation.steadiness import measure_steadiness
from lit_reenact.evaluation.table import COMPARED
from lit_reenact.face import load_face_model
from lit_reenact.losses.reconstruction import Lpips
from lit_reenact.metrics.backbones import OnnxBackbone
from lit_reenact.networks.generator import Generator
from lit_reenact.rendering.renderer import make_renderer
from lit_reenact.synthesis import synthesise
from lit_reenact.synthesis.inference import Precision, load_generator
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.training.checkpoint import read_checkpoint
from lit_reenact.video.cuts import cuts_in

MODEL = "model"
"""The method whose frames are evaluated; the others are what it has to beat."""

STILL = SIMPLEST[-1]
"""The baseline in which nothing moves: no motion is looked for in it."""


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
        outputs: method to its frames, the same; the model comes first.
        values: method to metric to value of each frame (N,) or (N, K), NaN where there is none.
        estimates: method to metric to value and interval.
        differences: method to metric to how much the model's is more, from frames taken in pairs, with its interval.
        motion: metric to value and interval of the model's motion; empty if it was not tracked again.
        other_motion: method to the same of the others that move.
        networks: metric to the name of the file whose network it is measured by, of those metrics that need one.
        edits: what edits moved in frames of the network (``edit_fidelity``); empty if none were tried.
        bent_edits: the same of the real frames, bent, without a network.
    """

    target: str
    origin: str
    frames: range
    fps: float
    real: Tensor
    outputs: dict[str, Tensor]
    values: Values
    estimates: dict[str, dict[str, Estimate]]
    differences: dict[str, dict[str, Estimate]]
    motion: dict[str, Estimate]
    other_motion: dict[str, dict[str, Estimate]]
    networks: dict[str, str]
    edits: EditFidelity = field(default_factory=dict)
    bent_edits: EditFidelity = field(default_factory=dict)

    @property
    def made(self) -> Tensor:
        """The model's frames."""
        return self.outputs[MODEL]

    @property
    def measured(self) -> int:
        """Frames that show a known face and so count."""
        return int((~self.values[MODEL]["l1"].isnan()).sum())

    @property
    def block(self) -> int:
        """Frames in a block of the bootstrap."""
        return block_length(self.fps, self.measured)


def with_edits(
    evaluation: Evaluation, target: TrackedClip, checkpoint: Path, device: str = "cpu", progress: bool = True
) -> Evaluation:
    """The evaluation of a checkpoint, and what edits move in all frames of the clip that no training saw.

    Raises:
        ReenactError: as ``synthesised``, or no face is found in the frames that the network makes.
    """
    generator = load_generator(checkpoint, device, target.track)
    split = _split(target, checkpoint, generator)
    unseen = range(split.validation.start, split.test.stop)
    return replace(
        evaluation,
        edits=network_edits(target, generator, unseen, progress),
        bent_edits=bent_edits(target, unseen, generator.image_size, progress),
    )


def synthesised(
    target: TrackedClip, checkpoint: Path, device: str = "cpu", precision: Precision = "float32", progress: bool = True
) -> Candidate:
    """The test part as a trained network makes it, driven by its own tracked motion.

    Raises:
        ReenactError: as ``load_generator``, or the clip is too short to have a test part.
    """
    generator = load_generator(checkpoint, device, target.track, precision)
    split = _split(target, checkpoint, generator)
    parameters = target.track.parameters[split.test.start : split.test.stop]
    label = "held-out frames" if progress else None
    chunks = synthesise(generator, target.track, parameters, cuts_in(split.test, target.track.info.cuts), label)
    return Candidate(f"checkpoint {checkpoint.name}", split, torch.cat([frames for _, frames, _ in chunks]))


def _split(target: TrackedClip, checkpoint: Path, generator: Generator) -> Split:
    """Of the clip as the checkpoint's training had it."""
    trained_on = read_checkpoint(checkpoint).get("datamodule_hyper_parameters", {})
    fractions = tuple(trained_on.get("fractions", (0.7, 0.1)))
    limit = trained_on.get("training_frames")
    return temporal_split(len(target.track), float(target.fps), fractions, generator.shape.span, limit)


def from_folder(target: TrackedClip, folder: Path) -> Candidate:
    """The test part as another system made it: a picture a frame, in the order of their names.

    Raises:
        ReenactError: as ``read_frame_folder``, or the clip is too short to have a test part.
    """
    split = temporal_split(len(target.track), float(target.fps), window=1)  # whatever this system looks at
    return Candidate(f"pictures in {folder.name}", split, _pictures(target, split, folder))


def beside(target: TrackedClip, candidate: Candidate, folders: Mapping[str, Path]) -> dict[str, Tensor]:
    """Other systems' frames of the same test part, by the names that the folders were given.

    Raises:
        ReenactError: as ``read_frame_folder``; frames of another size than the candidate's, or a name that is taken.
    """
    size, found = candidate.frames.shape[1], {}
    for name, folder in folders.items():
        if name in (MODEL, *EVERY):
            raise ReenactError(f"--also {name}={folder}: the table has a {name} already, give these frames another name")
        found[name] = _pictures(target, candidate.split, folder)
        if found[name].shape[1] != size:
            raise ReenactError(
                f"{folder} holds pictures of {found[name].shape[1]} pixels, but those of {candidate.origin} have {size}: "
                "only frames of one size can be compared"
            )
    return found


def _pictures(target: TrackedClip, split: Split, folder: Path) -> Tensor:
    what = f"frames {split.test.start} to {split.test.stop - 1} of {target.clip}, its held-out part"
    return read_frame_folder(folder, len(split.test), target.track.camera.width, what)


@single_threaded()
def evaluate(
    target: TrackedClip,
    candidate: Candidate,
    track_again: bool = False,
    progress: bool = True,
    others: Mapping[str, Tensor] | None = None,
    networks: Mapping[str, OnnxBackbone] | None = None,
) -> Evaluation:
    """Measure the frames, and those of all baselines that learn nothing, against the real ones.

    Args:
        target: the clip.
        candidate: the frames.
        track_again: whether to find the motion in the frames again and compare it too.
        progress: whether to show progress bars.
        others: more frames to be measured, of ``beside``.
        networks: of the metrics ``identity`` and ``fid``; one without a network is left out.

    Raises:
        ReenactError: no face is known in the test part; with ``track_again``, none is found.
    """
    track, test, size = target.track, candidate.split.test, candidate.frames.shape[1]
    outputs = {MODEL: candidate.frames, **(others or {}), **baseline_frames(target, candidate.split, size, EVERY)}
    real = target.read(test, size)
    values = measure_frames(target, test, real, outputs)
    fps, networks = float(target.fps), networks or {}
    if "identity" in networks:
        for method, series in measure_identity(outputs, real, _seen(target, test, size), networks["identity"]).items():
            values[method]["identity"] = series.to(values[method]["l1"])
    estimates = {method: _estimates(metrics, fps) for method, metrics in values.items()}
    if "fid" in networks:
        for method, distance in measure_fid(outputs, real, networks["fid"]).items():
            estimates[method]["fid"] = Estimate(distance, math.nan, math.nan)  # of all frames together: drawn anew it is another
    moving = {method: frames for method, frames in outputs.items() if method != STILL} if track_again else {}
    motion = {
        method: _estimates(measure_motion(frames, real, target.fps, cuts_in(test, target.track.info.cuts), progress), fps)
        for method, frames in moving.items()
    }
    return Evaluation(
        target=track.info.source,
        origin=candidate.origin,
        frames=test,
        fps=fps,
        real=real,
        outputs=outputs,
        values=values,
        estimates=estimates,
        differences={method: _differences(values[MODEL], values[method], fps) for method in outputs if method != MODEL},
        motion=motion.pop(MODEL, {}),
        other_motion=motion,
        networks={metric: network.path.name for metric, network in networks.items()},
    )


def _seen(target: TrackedClip, frames: range, size: int) -> Tensor:
    """Landmarks (N, 478, 3) of frames of a clip, in their pixels at a size; NaN where no face was found."""
    landmarks = target.track.landmarks
    points, found = landmarks.points[frames.start : frames.stop], landmarks.found[frames.start : frames.stop]
    return torch.where(found[:, None, None], points * (size / target.track.camera.width), torch.nan)


def _estimates(metrics: Mapping[str, Tensor], fps: float) -> dict[str, Estimate]:
    return {name: estimate(name, series, fps) for name, series in metrics.items()}


def _differences(model: Mapping[str, Tensor], other: Mapping[str, Tensor], fps: float) -> dict[str, Estimate]:
    found = {name: summarise(name, [model[name]], [other[name]], fps).difference for name in COMPARED}
    return {name: difference for name, difference in found.items() if difference is not None}


def measure_frames(target: TrackedClip, test: range, real: Tensor, outputs: Mapping[str, Tensor]) -> Values:
    """What is measured of each frame of some methods: method to metric to (N,) or (N, K), NaN where no face is known.

    Args:
        target: the clip, whose track says where the face is.
        test: numbers of the N frames in it.
        real: these frames, uint8 (N, S, S, 3).
        outputs: method to its frames, the same.

    Raises:
        ReenactError: no face is known in any of them.
    """
    track = target.track
    known = track.valid[test.start : test.stop]
    if not known.any():
        raise ReenactError(f"{target.clip} shows no face in its held-out part, so nothing can be measured: use another video")
    renderer = make_renderer(load_face_model(track.info.face_model), track.actor, track.camera, real.shape[1])
    regions = renderer.regions(track.parameters[test.start : test.stop])
    values = measure(outputs, real, regions, _trained_lpips())
    follows = torch.ones(len(test), dtype=torch.bool)
    follows[[0, *cuts_in(test, target.track.info.cuts)]] = False
    steadiness = measure_steadiness(outputs, real, follows)
    return {method: _where(known, metrics | steadiness[method]) for method, metrics in values.items()}


def write_numbers(evaluation: Evaluation, folder: Path) -> None:
    """Write ``metrics.json`` (means and intervals) and ``frames.csv`` (the values of every frame).

    The same frames give the same files, byte for byte.
    """
    results = {
        "target": evaluation.target,
        "origin": evaluation.origin,
        "frames": [evaluation.frames.start, evaluation.frames.stop],
        "measured": evaluation.measured,
        "size": evaluation.real.shape[1],
        "interval": {"level": LEVEL, "samples": SAMPLES, "block_frames": evaluation.block},
        **({"networks": evaluation.networks} if evaluation.networks else {}),
        "methods": _plain_rows(evaluation.estimates),
        "differences": _plain_rows(evaluation.differences),
        "motion": {name: _plain(value) for name, value in evaluation.motion.items()},
        "other_motion": _plain_rows(evaluation.other_motion),
        "edits": _plain_rows(evaluation.edits),
        "bent_edits": _plain_rows(evaluation.bent_edits),
    }
    write_json(folder / "metrics.json", results)
    write_text(folder / "frames.csv", _frame_table(evaluation))


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


def _plain_rows(rows: Mapping[str, Mapping[str, Estimate]]) -> dict[str, dict[str, dict[str, float | None]]]:
    return {name: {key: _plain(value) for key, value in row.items()} for name, row in rows.items()}


def _plain(value: Estimate) -> dict[str, float | None]:
    """What JSON can hold: no infinity, no NaN."""
    names = {"mean": value.value, "low": value.low, "high": value.high}
    return {name: round(number, 6) if math.isfinite(number) else None for name, number in names.items()}


def _trained_lpips() -> Lpips | None:
    """LPIPS if its network's weights are on this machine: with random ones it would measure nothing worth telling."""
    lpips = Lpips("auto")
    return None if lpips.backbone == "untrained" else lpips
