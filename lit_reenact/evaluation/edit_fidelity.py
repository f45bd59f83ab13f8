"""Fidelity of edits: edited frames are tracked again from their pixels alone, to see whether an edit moves only what it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import torch
from torch import Tensor

from lit_reenact.core.geometry import axis_angle_to_matrix, matrix_to_euler
from lit_reenact.core.schema import FaceParameters, Track
from lit_reenact.edit import apply_sliders, neck_of
from lit_reenact.evaluation.fidelity import retrack_frames
from lit_reenact.evaluation.intervals import Estimate, estimate
from lit_reenact.evaluation.table import number
from lit_reenact.face import load_face_model
from lit_reenact.face.eyelids import BLINKS
from lit_reenact.networks.generator import Generator
from lit_reenact.rendering.mesh_warp import MeshWarp
from lit_reenact.synthesis import synthesise
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.video import resize_frames
from lit_reenact.video.cuts import cuts_in


@dataclass(frozen=True)
class Probe:
    """One edit to try: a slider held at a value.

    Attributes:
        slider: name of the slider.
        value: value at which the slider is held.
        measure: name in ``measures`` of what the edit is meant to move.
    """

    slider: str
    value: float
    measure: str

    @property
    def name(self) -> str:
        return f"{self.slider}={self.value:g}"


PROBES = (
    Probe("head_yaw", 5, "yaw"),
    Probe("head_yaw", 10, "yaw"),
    Probe("head_pitch", 5, "pitch"),
    Probe("gaze_yaw", 10, "gaze_yaw"),
    Probe("close_left_eye", 1, "blink_left"),
    Probe("close_right_eye", 1, "blink_right"),
    Probe("expression_gain", 1.5, "expression"),
)

UNITS = {
    "yaw": "degrees",
    "pitch": "degrees",
    "roll": "degrees",
    "gaze_yaw": "degrees",
    "gaze_pitch": "degrees",
    "blink_left": "1 is a full blink",
    "blink_right": "1 is a full blink",
    "expression": "times as strong",
}
"""Measure to its unit, in the order of the tables."""

BATCH = 16
"""Number of frames warped at once."""

Generate = Callable[[FaceParameters], Iterable[Tensor]]
"""Function from the parameters of a part to the frames that show them, in chunks uint8 (n, S, S, 3)."""

EditFidelity = dict[str, dict[str, Estimate]]
"""Name of a probe to measure to its change (``expression``: how many times as strong it is); ``blink_left_level`` and
``blink_right_level`` are the blinks after the edit."""


def measure_network_edits(target: TrackedClip, generator: Generator, frames: range, progress: bool = True) -> EditFidelity:
    """Edit a part of a clip in several ways, generate the frames with a network, and measure what moved.

    Args:
        target: clip to edit.
        generator: network that was trained on the clip.
        frames: numbers of the part's frames; the result means little if the network was trained on them.
        progress: whether to show progress bars.

    Raises:
        ReenactError: no face is detected in the generated frames.
    """
    cuts, label = cuts_in(frames, target.track.info.cuts), "edited frames" if progress else None

    def generate(edited: FaceParameters) -> Iterator[Tensor]:
        return (chunk.frames for chunk in synthesise(generator, target.track, edited, cuts, label))

    return _measure_edits(target, frames, generate, PROBES, progress)


def measure_warped_edits(target: TrackedClip, frames: range, size: int, progress: bool = True) -> EditFidelity:
    """Warp the real frames by the face mesh to show the same edits, and measure what moved without any network.

    A tracker takes extreme faces for less extreme ones, so it measures less of an exaggeration than the frames show. The result
    is no upper bound: warping draws nothing new, so an eye that it shuts still shows a streak of its ball. Gaze is left out: no
    mesh moves it.

    Args:
        target: clip to edit.
        frames: numbers of the part's frames.
        size: side of the warped frames in pixels.
        progress: whether to show progress bars.

    Raises:
        ReenactError: no face is detected in the warped frames.
    """
    track = target.track
    own, real = track.parameters[frames.start : frames.stop], target.read(frames, track.camera.width)
    warp = MeshWarp(load_face_model(track.info.face_model), track.actor, track.camera)

    def generate(edited: FaceParameters) -> Iterator[Tensor]:
        for start in range(0, len(frames), BATCH):
            part = slice(start, start + BATCH)
            yield resize_frames(warp(real[part], own[part], edited[part]), size)

    probes = [probe for probe in PROBES if not probe.measure.startswith("gaze")]
    return _measure_edits(target, frames, generate, probes, progress)


def _measure_edits(
    target: TrackedClip, frames: range, generate: Generate, probes: Sequence[Probe], progress: bool
) -> EditFidelity:
    """Measure what each edit moves in the frames that ``generate`` returns for it.

    The part without an edit and with each of them is tracked as one video with cuts between: what the tracker learns about the
    person is then the same for all.
    """
    track, cuts = target.track, cuts_in(frames, target.track.info.cuts)
    parameters = track.parameters[frames.start : frames.stop]
    versions = [parameters, *(_apply(parameters, probe, track) for probe in probes)]
    borders = [start + cut for start in range(0, len(versions) * len(frames), len(frames)) for cut in (0, *cuts)]
    generated = (frame for version in versions for chunk in generate(version) for frame in chunk)
    retracked = retrack_frames(generated, target.fps, tuple(borders[1:]), progress)
    return compare_edits(retracked, len(frames), probes)


def compare_edits(track: Track, count: int, probes: Sequence[Probe] = PROBES) -> EditFidelity:
    """Compare frames [0, count) of a track, which are not edited, with the ``count`` frames of each probe that follow them."""
    fps = float(Fraction(track.info.fps))
    plain, *edited = (
        (_part(track, start, stop), track.landmarks.found[start:stop])
        for start, stop in pairwise(range(0, (len(probes) + 2) * count, count))
    )
    fidelity: EditFidelity = {}
    for probe, (after, detected) in zip(probes, edited, strict=True):
        before, known = plain[0], plain[1] & detected
        changes = {name: (after[name] - before[name]).double() for name in UNITS if name != "expression"}
        changes |= {f"{name}_level": after[name].double() for name in ("blink_left", "blink_right")}
        for series in changes.values():
            series[~known] = torch.nan
        fidelity[probe.name] = {name: estimate(name, series, fps) for name, series in changes.items()}
        strength = torch.stack([after["expression"], before["expression"]], -1).double()
        strength[~known] = torch.nan
        fidelity[probe.name]["expression"] = estimate("strength", strength, fps)
    return fidelity


def measures(parameters: FaceParameters, names: Sequence[str]) -> dict[str, Tensor]:
    """Return everything that probes move, (T,) each: angles in degrees, blinks, and the norm of all other expressions.

    Args:
        parameters: parameters of T frames.
        names: names of the expressions.
    """
    angles = matrix_to_euler(axis_angle_to_matrix(parameters.rotation)).rad2deg()
    gaze = parameters.gaze.reshape(-1, 2, 2).mean(1).rad2deg()
    blinks = parameters.expression[:, [names.index(blink) for blink in BLINKS]]
    others = parameters.expression[:, [number for number, name in enumerate(names) if name not in BLINKS]]
    columns = torch.cat([angles, gaze, blinks, others.norm(dim=-1, keepdim=True)], -1)
    return dict(zip(UNITS, columns.unbind(-1), strict=True))


def edits_rows(edits: Mapping[str, Mapping[str, Estimate]]) -> list[list[str]]:
    """Return a row of headings and a row of words for each probe: its own measure with the interval, then every measure."""
    rows = [["edit", "meant to move", *UNITS]]
    for name, values in edits.items():
        probe = next(probe for probe in PROBES if probe.name == name)
        own = values.get(f"{probe.measure}_level", values[probe.measure])
        mean, low, high = (_word(probe.measure, value) for value in own)
        cells = [_word(measure, values[measure].value, "+") for measure in UNITS]
        rows.append([name, f"{mean} [{low}, {high}]", *cells])
    return rows


def _word(measure: str, value: float, sign: str = "") -> str:
    decimals = 1 if UNITS[measure] == "degrees" else 2
    return number(value, decimals, "" if measure == "expression" else sign)


def _apply(parameters: FaceParameters, probe: Probe, track: Track) -> FaceParameters:
    model = load_face_model(track.info.face_model)
    values = {probe.slider: torch.full((len(parameters),), float(probe.value))}
    return apply_sliders(values, parameters, model, neck_of(track), track.actor)


def _part(track: Track, start: int, stop: int) -> dict[str, Tensor]:
    return measures(track.parameters[start:stop], load_face_model(track.info.face_model).expression_names)
