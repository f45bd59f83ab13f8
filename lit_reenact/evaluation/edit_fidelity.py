"""Does an edit move what it names, and nothing else? Edited videos are tracked again from their pixels alone."""

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
from lit_reenact.evaluation.fidelity import found_again
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
    """An edit that is tried.

    Attributes:
        slider: that is moved, and held.
        value: where it is held.
        measure: of ``measures``: the one that it is to move.
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
"""Of the measures, in the order in which they are shown."""

AT_ONCE = 16
"""Frames bent at once."""

Make = Callable[[FaceParameters], Iterable[Tensor]]
"""The frames, uint8 (n, S, S, 3) at a time, that show the parameters of all frames of a part."""

EditFidelity = dict[str, dict[str, Estimate]]
"""Name of a probe to measure to how much it changed (``expression``: how many times as strong it is); ``blink_left_level`` and
``blink_right_level`` are what the blinks then are."""


def network_edits(target: TrackedClip, generator: Generator, frames: range, progress: bool = True) -> EditFidelity:
    """Edit a part of a clip in several ways, have a network make the frames, and find out what moved.

    Args:
        target: the clip.
        generator: trained on it.
        frames: numbers of the part, none of which was trained on if the result is to say anything.
        progress: whether to show progress bars.

    Raises:
        ReenactError: no face is found in the frames that the network makes.
    """
    cuts, label = cuts_in(frames, target.track.info.cuts), "edited frames" if progress else None

    def made(edited: FaceParameters) -> Iterator[Tensor]:
        return (chunk for _, chunk, _ in synthesise(generator, target.track, edited, cuts, label))

    return _measure_edits(target, frames, made, PROBES, progress)


def bent_edits(target: TrackedClip, frames: range, size: int, progress: bool = True) -> EditFidelity:
    """The same where the real frames are bent by the face mesh to show the edits: what the measure finds without a network.

    A tracker that holds unlikely faces for unlikely passes on less of an exaggeration than there is. It is no upper bound:
    bending draws nothing new, so an eye that it shuts still shows a streak of its ball. Gaze is left out: no mesh moves it.

    Args:
        target, frames, progress: see ``network_edits``.
        size: of the frames in pixels.
    """
    track = target.track
    own, real = track.parameters[frames.start : frames.stop], target.read(frames, track.camera.width)
    warp = MeshWarp(load_face_model(track.info.face_model), track.actor, track.camera)

    def made(edited: FaceParameters) -> Iterator[Tensor]:
        for start in range(0, len(frames), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            yield resize_frames(warp(real[part], own[part], edited[part]), size)

    probes = [probe for probe in PROBES if not probe.measure.startswith("gaze")]
    return _measure_edits(target, frames, made, probes, progress)


def _measure_edits(target: TrackedClip, frames: range, made: Make, probes: Sequence[Probe], progress: bool) -> EditFidelity:
    """What an edit moves in the frames that are made of it.

    The part without an edit, and with each of them, is tracked as one video with cuts between: what the tracker learns of the
    person is then the same for all.
    """
    track, cuts = target.track, cuts_in(frames, target.track.info.cuts)
    parameters = track.parameters[frames.start : frames.stop]
    versions = [parameters, *(_edited(parameters, probe, track) for probe in probes)]
    borders = [start + cut for start in range(0, len(versions) * len(frames), len(frames)) for cut in (0, *cuts)]
    made_frames = (frame for version in versions for chunk in made(version) for frame in chunk)
    found = found_again(made_frames, target.fps, tuple(borders[1:]), progress)
    return compare_edits(found, len(frames), probes)


def compare_edits(track: Track, count: int, probes: Sequence[Probe] = PROBES) -> EditFidelity:
    """Frames [0, count) of a track, which are not edited, against as many more for each probe."""
    fps = float(Fraction(track.info.fps))
    plain, *edited = (
        (_part(track, start, stop), track.landmarks.found[start:stop])
        for start, stop in pairwise(range(0, (len(probes) + 2) * count, count))
    )
    found: EditFidelity = {}
    for probe, (after, seen) in zip(probes, edited, strict=True):
        before, known = plain[0], plain[1] & seen
        changes = {name: (after[name] - before[name]).double() for name in UNITS if name != "expression"}
        changes |= {f"{name}_level": after[name].double() for name in ("blink_left", "blink_right")}
        for series in changes.values():
            series[~known] = torch.nan
        found[probe.name] = {name: estimate(name, series, fps) for name, series in changes.items()}
        strength = torch.stack([after["expression"], before["expression"]], -1).double()
        strength[~known] = torch.nan
        found[probe.name]["expression"] = estimate("strength", strength, fps)
    return found


def measures(parameters: FaceParameters, names: Sequence[str]) -> dict[str, Tensor]:
    """What the probes move, (T,) each: angles in degrees, blinks, and the length of the vector of all other expressions.

    Args:
        parameters: of T frames.
        names: of the expressions.
    """
    angles = matrix_to_euler(axis_angle_to_matrix(parameters.rotation)).rad2deg()
    gaze = parameters.gaze.reshape(-1, 2, 2).mean(1).rad2deg()
    blinks = parameters.expression[:, [names.index(blink) for blink in BLINKS]]
    others = parameters.expression[:, [number for number, name in enumerate(names) if name not in BLINKS]]
    columns = torch.cat([angles, gaze, blinks, others.norm(dim=-1, keepdim=True)], -1)
    return dict(zip(UNITS, columns.unbind(-1), strict=True))


def edits_rows(found: Mapping[str, Mapping[str, Estimate]]) -> list[list[str]]:
    """A row of words for each probe below a row of heads: what was to move with its interval, then all that moved."""
    rows = [["edit", "what it is to move", *UNITS]]
    for name, values in found.items():
        probe = next(probe for probe in PROBES if probe.name == name)
        told = values.get(f"{probe.measure}_level", values[probe.measure])
        mean, low, high = (_word(probe.measure, value) for value in told)
        cells = [_word(measure, values[measure].value, "+") for measure in UNITS]
        rows.append([name, f"{mean} [{low}, {high}]", *cells])
    return rows


def _word(measure: str, value: float, sign: str = "") -> str:
    decimals = 1 if UNITS[measure] == "degrees" else 2
    return number(value, decimals, "" if measure == "expression" else sign)


def _edited(parameters: FaceParameters, probe: Probe, track: Track) -> FaceParameters:
    model = load_face_model(track.info.face_model)
    values = {probe.slider: torch.full((len(parameters),), float(probe.value))}
    return apply_sliders(values, parameters, model, neck_of(track), track.actor)


def _part(track: Track, start: int, stop: int) -> dict[str, Tensor]:
    return measures(track.parameters[start:stop], load_face_model(track.info.face_model).expression_names)
