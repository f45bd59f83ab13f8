"""The evaluator: a candidate and all baselines against the real held-out frames, every metric with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from lit_reenact.core.parallel import single_threaded
from lit_reenact.core.split import LAST_FIFTH
from lit_reenact.evaluation.baseline_frames import MEAN, generate_baselines
from lit_reenact.evaluation.candidates import MODEL, Candidate
from lit_reenact.evaluation.clip_metrics import measure_frames, real_landmarks
from lit_reenact.evaluation.edit_fidelity import EditFidelity, measure_network_edits, measure_warped_edits
from lit_reenact.evaluation.fidelity import measure_motion
from lit_reenact.evaluation.frame_metrics import Values
from lit_reenact.evaluation.heldout import held_out_split
from lit_reenact.evaluation.intervals import Estimate, block_length, estimate
from lit_reenact.evaluation.matting import find_person, matte
from lit_reenact.evaluation.pixel_origin import PixelOrigin
from lit_reenact.evaluation.recognition import measure_fid, measure_identity
from lit_reenact.evaluation.reference_distance import ReferenceDistance
from lit_reenact.evaluation.references import References, measure_references
from lit_reenact.evaluation.statistics import summarise
from lit_reenact.evaluation.table import COMPARED
from lit_reenact.metrics.backbones import OnnxBackbone
from lit_reenact.synthesis.inference import load_generator
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video.cuts import cuts_in


@dataclass(frozen=True)
class Evaluation:
    """Everything measured on the N frames of a clip's held-out part.

    Attributes:
        target: name of the clip's source.
        origin: text that names what generated the model's frames.
        frames: numbers of the held-out frames in the clip.
        fps: frames per second.
        real: real frames, uint8 (N, S, S, 3).
        outputs: method to its frames, uint8 (N, S, S, 3); the model comes first.
        values: method to metric to the value of each frame, (N,) or (N, K), NaN where there is none.
        estimates: method to metric to value and interval.
        differences: method to metric to the model's value less the method's, paired frame by frame, with its interval.
        motion: motion metric to the model's value and interval; empty if the output was not tracked again.
        other_motion: method to motion metric to value and interval, of every other method that moves.
        motion_values: method to motion metric to the value of each frame; empty if the output was not tracked again.
        networks: metric to the name of the network file that it uses, for metrics that need one.
        references: what metrics measure between real frames of the clip; None if nothing was measured by networks.
        edits: what the edits changed in generated frames (``edit_fidelity``); empty if none were tried.
        warped_edits: what the edits changed in real frames that the face mesh warps, without a network; empty if none were tried.
        pixel_origin: origin of the model's pixels; None without a network that takes key frames.
        reference_distance: distances of frames to the key frames; None without a network that takes them.
        protocol: name of the split that the frames are the test part of.
        matted: whether all frames, the real ones too, show the person on white.
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
    motion: dict[str, Estimate] = field(default_factory=dict)
    other_motion: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    motion_values: Values = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    references: References | None = None
    edits: EditFidelity = field(default_factory=dict)
    warped_edits: EditFidelity = field(default_factory=dict)
    pixel_origin: PixelOrigin | None = None
    reference_distance: ReferenceDistance | None = None
    protocol: str = LAST_FIFTH
    matted: bool = False

    @property
    def generated(self) -> Tensor:
        """Frames of the model, uint8 (N, S, S, 3)."""
        return self.outputs[MODEL]

    @property
    def means(self) -> dict[str, dict[str, float]]:
        """Method to metric to value, without the intervals."""
        return {method: {name: value.value for name, value in row.items()} for method, row in self.estimates.items()}

    @property
    def counted_frames(self) -> int:
        """Number of frames that show a known face and so count in the metrics."""
        return int((~self.values[MODEL]["l1"].isnan()).sum())

    @property
    def block(self) -> int:
        """Number of frames in a block of the bootstrap."""
        return block_length(self.fps, self.counted_frames)


@single_threaded()
def evaluate(
    target: TrackedClip,
    candidate: Candidate,
    track_again: bool = False,
    progress: bool = True,
    others: Mapping[str, Tensor] | None = None,
    networks: Mapping[str, OnnxBackbone] | None = None,
    matted: bool = False,
    with_networks: bool = True,
) -> Evaluation:
    """Measure a candidate, and every baseline that learns nothing, against the real held-out frames.

    Args:
        target: clip that the frames belong to.
        candidate: frames to evaluate.
        track_again: track the frames again from their pixels and compare their motion too.
        progress: whether to show progress bars.
        others: other systems' frames to measure as well (``read_other_systems``).
        networks: the user's networks of the metrics ``csim`` and ``fid``; a metric without a network is left out.
        matted: put white in place of the background, in the real and in all other frames, where it is in the real frame.
        with_networks: whether to measure by the networks that come with the package, too.

    Raises:
        ReenactError: no face is known in the held-out part, ``track_again`` detects none, or ``matted`` finds no person.

    Example:
        >>> clip = TrackedClip.load(Path("outputs/tracks/target"))
        >>> evaluation = evaluate(clip, synthesise_candidate(clip, Path("best.ckpt")))
        >>> evaluation.estimates["model"]["face_l1"]
    """
    test, size, networks = candidate.split.test, candidate.frames.shape[1], networks or {}
    real, outputs = _frames_to_compare(target, candidate, others or {}, matted)
    values, fps = measure_frames(target, test, real, outputs, with_networks), float(target.fps)
    if "csim" in networks:
        _add_identity(values, measure_identity(outputs, real, real_landmarks(target, test, size), networks["csim"]))
    estimates = {method: _estimates(metrics, fps) for method, metrics in values.items()}
    for method, distance in (measure_fid(outputs, real, networks["fid"]) if "fid" in networks else {}).items():
        estimates[method]["fid"] = Estimate(distance, math.nan, math.nan)  # one distance for all frames: no bootstrap
    motion_values = _motion(target, test, real, outputs, progress) if track_again else {}
    motion = {method: _estimates(metrics, fps) for method, metrics in motion_values.items()}
    return Evaluation(
        target=target.track.info.source,
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
        motion_values=motion_values,
        networks={metric: network.path.name for metric, network in networks.items()},
        references=measure_references(target, candidate.split, size, track_again) if with_networks else None,
        pixel_origin=candidate.pixel_origin,
        reference_distance=candidate.reference_distance,
        protocol=candidate.split.protocol,
        matted=matted,
    )


def _frames_to_compare(
    target: TrackedClip, candidate: Candidate, others: Mapping[str, Tensor], matted: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the real frames, uint8 (N, S, S, 3), and those of every method, the model first."""
    test, size = candidate.split.test, candidate.frames.shape[1]
    real = target.read(test, size)
    outputs = {MODEL: candidate.frames, **others, **generate_baselines(target, candidate.split, size)}
    if not matted:
        return real, outputs
    masks = find_person(target, test, real)
    return matte(real, masks), {method: matte(frames, masks) for method, frames in outputs.items()}


def _add_identity(values: Values, similarities: Mapping[str, Tensor]) -> None:
    for method, series in similarities.items():
        values[method]["csim"] = series.to(values[method]["l1"])


def add_edits(
    evaluation: Evaluation, target: TrackedClip, checkpoint: Path, device: str = "cpu", progress: bool = True
) -> Evaluation:
    """Return the evaluation of a checkpoint together with what edits change in all frames that its training did not use.

    Raises:
        ReenactError: the checkpoint cannot be used for this clip, or no face is detected in the generated frames.
    """
    generator = load_generator(checkpoint, device, target.track)
    split = held_out_split(target, checkpoint, generator.shape.span)
    unseen = range(split.validation.start, split.test.stop)
    return replace(
        evaluation,
        edits=measure_network_edits(target, generator, unseen, progress),
        warped_edits=measure_warped_edits(target, unseen, generator.image_size, progress),
    )


def _motion(target: TrackedClip, test: range, real: Tensor, outputs: Mapping[str, Tensor], progress: bool) -> Values:
    """Return the motion metrics of every method in which something moves, for each frame."""
    cuts = cuts_in(test, target.track.info.cuts)
    moving = {method: frames for method, frames in outputs.items() if method != MEAN}
    return {method: measure_motion(frames, real, target.fps, cuts, progress) for method, frames in moving.items()}


def _estimates(metrics: Mapping[str, Tensor], fps: float) -> dict[str, Estimate]:
    return {name: estimate(name, series, fps) for name, series in metrics.items()}


def _differences(model: Mapping[str, Tensor], other: Mapping[str, Tensor], fps: float) -> dict[str, Estimate]:
    differences = {name: summarise(name, [model[name]], [other[name]], fps).difference for name in COMPARED if name in model}
    return {name: difference for name, difference in differences.items() if difference is not None}
