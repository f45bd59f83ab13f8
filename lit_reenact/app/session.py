"""What one person has done so far. Nothing here changes in place: every step gives a new session."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, floor

import torch
from torch import Tensor

from lit_reenact.app.copying import Part, differences
from lit_reenact.app.keyframes import constant, has_key, value_at, with_key, without_key
from lit_reenact.app.runs import OpenRun
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters
from lit_reenact.edit import Edit, Slider, SliderTrack, apply_sliders, hold_light
from lit_reenact.guard import GuardMode
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import TransferPolicy
from lit_reenact.video.cuts import shots

STEPS = {"deg": 0.5, "mm": 1.0, "%": 1.0, "sd": 0.1, "x": 0.05, "": 0.01}
"""How far a slider goes at a time, by its unit."""


def grid(slider: Slider) -> tuple[float, float, float]:
    """The lowest and the highest value at which the slider can stand, and the step between two: all multiples of it."""
    step = STEPS[slider.unit]
    low, high = ceil(round(slider.low / step, 6)), floor(round(slider.high / step, 6))
    return round(low * step, 6), round(high * step, 6), step


def on_grid(value: float, slider: Slider) -> float:
    """The nearest value at which the slider can stand."""
    low, high, step = grid(slider)
    return min(max(round(step * round(value / step), 6), low), high)


@dataclass(frozen=True, eq=False)
class Performance:
    """What the face does before any slider moves it, at the target's frame rate.

    Attributes:
        parameters: of its T frames.
        cuts: the first frame after every cut.
        source: who drives; None if the target performs itself.
        policy: what of the source drives what of the target; None for the target's clip as it is.
        guard: what was done about parameters that the target's training did not show; None for its own.
        outside: lines about them for the user, of ``GuardReport.to_text``.
    """

    parameters: FaceParameters
    cuts: tuple[int, ...]
    source: TrackedClip | None = None
    policy: TransferPolicy | None = None
    guard: GuardMode | None = None
    outside: str = ""

    def __len__(self) -> int:
        return len(self.parameters)

    def shot(self, frame: int) -> tuple[int, int]:
        """The frames [start, stop) between the cuts about a frame."""
        return next((start, stop) for start, stop in shots(self.cuts, len(self)) if frame < stop)


def own_performance(run: OpenRun) -> Performance:
    """The target as it was filmed."""
    return Performance(run.target.track.parameters, run.target.track.info.cuts)


@dataclass(frozen=True, eq=False)
class Session:
    """The state of one page in one browser.

    Attributes:
        run: what is edited.
        performance: what the sliders are added to.
        frame: the one that is looked at.
        tracks: what each slider does that is moved at all; times are frames.
        keyed: the sliders that have keyframes. The others stand still over the whole video.
        remove_hair: whether the hair is taken away.
        any_light: whether sliders of the light go where the training showed none.
    """

    run: OpenRun
    performance: Performance
    frame: int = 0
    tracks: Mapping[str, SliderTrack] = field(default_factory=dict)
    keyed: frozenset[str] = frozenset()
    remove_hair: bool = False
    any_light: bool = False

    def values(self) -> dict[str, float]:
        """Where every slider stands in this frame."""
        moved = {name: on_grid(value_at(track, self.frame), self.run.sliders[name]) for name, track in self.tracks.items()}
        return {name: moved.get(name, slider.default) for name, slider in self.run.sliders.items()}

    def moved(self, values: Mapping[str, float]) -> Session:
        """With sliders at these values: one with keyframes gets one here, another moves in the whole video."""
        before, tracks = self.values(), dict(self.tracks)
        for name, value in values.items():
            slider = self.run.sliders[name]
            if abs(value - before[name]) < STEPS[slider.unit] / 2:
                continue
            if name in self.keyed:
                tracks[name] = with_key(tracks[name], self.frame, value)
            elif value == slider.default:
                del tracks[name]
            else:
                tracks[name] = constant(value)
        return replace(self, tracks=tracks)

    def at(self, frame: int) -> Session:
        """Looking at another frame, or at the nearest that there is."""
        return replace(self, frame=min(max(frame, 0), len(self.performance) - 1))

    def reset(self, group: str | None = None) -> Session:
        """Without the edits of one group of sliders, or without any edit."""
        if group is None:
            return replace(self, tracks={}, keyed=frozenset(), remove_hair=False, any_light=False)
        kept = {n: t for n, t in self.tracks.items() if self.run.sliders[n].group != group}
        return replace(self, tracks=kept, keyed=self.keyed & kept.keys())

    def keyframes(self) -> dict[int, list[str]]:
        """Frames that have keys, in order, with the sliders that have them there."""
        found: dict[int, list[str]] = {}
        for name in self.keyed:
            for time, _ in self.tracks[name].keys:
                found.setdefault(round(time), []).append(name)
        return {frame: sorted(found[frame], key=list(self.run.sliders).index) for frame in sorted(found)}

    def with_keyframe(self) -> Session:
        """With a key here for every slider that is moved at all.

        Raises:
            ReenactError: none is.
        """
        if not self.tracks:
            raise ReenactError("a keyframe holds the sliders that are moved, and none is: move one first")
        values = self.values()
        tracks = {
            name: with_key(track, self.frame, values[name])
            if name in self.keyed
            else SliderTrack(((float(self.frame), values[name]),))
            for name, track in self.tracks.items()
        }
        return replace(self, tracks=tracks, keyed=frozenset(tracks))

    def without_keyframe(self) -> Session:
        """Without the keys of this frame.

        Raises:
            ReenactError: it has none.
        """
        here = {name for name in self.keyed if has_key(self.tracks[name], self.frame)}
        if not here:
            raise ReenactError(f"frame {self.frame} has no keyframe: go to one of those in the list")
        last = {name for name in here if len(self.tracks[name].keys) == 1}
        tracks = {name: without_key(track, self.frame) if name in here else track for name, track in self.tracks.items()}
        return replace(self, tracks=tracks, keyed=self.keyed - last)

    def copied(self, frame: int, parts: Collection[Part]) -> Session:
        """With the sliders moved so that this frame looks like another one of the same performance did before any edit.

        Raises:
            ReenactError: there is no such frame, or nothing to copy.
        """
        if not 0 <= frame < len(self.performance):
            raise ReenactError(f"there is no frame {frame} to copy from: they go from 0 to {len(self.performance) - 1}")
        if not parts:
            raise ReenactError("choose what to copy: pose, expression or gaze")
        there, here = (self.performance.parameters[number : number + 1] for number in (frame, self.frame))
        return self.moved(differences(there, here, parts, self.run.model, self.run.neck, self.run.sliders))

    def performed(self, performance: Performance) -> Session:
        """With the same edits of another performance. Keys after its end are lost."""
        last = len(performance) - 1
        tracks = {name: _until(track, last) for name, track in self.tracks.items()}
        return replace(self, performance=performance, tracks=tracks).at(self.frame)

    def edit(self) -> Edit:
        """All that was done with sliders, as an edit file holds it."""
        return Edit(dict(self.tracks), "frames", self.remove_hair)

    def loaded(self, edit: Edit) -> Session:
        """With the edits of a file in place of those so far.

        Raises:
            ReenactError: a key lies outside of the video.
        """
        fps = self.run.target.fps
        edit.values(len(self.performance), fps)
        scale = 1.0 if edit.time == "frames" else float(fps)
        tracks = {
            name: replace(track, keys=tuple((round(time * scale, 6), value) for time, value in track.keys))
            for name, track in edit.tracks.items()
        }
        keyed = frozenset(name for name, track in tracks.items() if len(track.keys) > 1)
        return replace(self, tracks=tracks, keyed=keyed, remove_hair=edit.remove_hair)

    def edited(self, start: int, stop: int) -> FaceParameters:
        """The parameters of frames [start, stop) with all edits; the light is held (``hold_light``) if not ``any_light``."""
        return apply_sliders(
            self._held(start, stop)[0],
            self.performance.parameters[start:stop],
            self.run.model,
            self.run.neck,
            self.run.target.track.actor,
        )

    def limits(self) -> tuple[str, ...]:
        """A sentence for every slider of the light that goes farther than this frame follows it."""
        return self._held(self.frame, self.frame + 1)[1]

    def _held(self, start: int, stop: int) -> tuple[dict[str, Tensor], tuple[str, ...]]:
        times = torch.arange(start, stop, dtype=torch.float64)
        values = {name: track(times) for name, track in self.tracks.items()}
        return (
            (values, ()) if self.any_light else hold_light(values, self.performance.parameters[start:stop], self.run.target.track)
        )


def _until(track: SliderTrack, last: int) -> SliderTrack:
    keys = tuple(key for key in track.keys if key[0] <= last)
    return replace(track, keys=keys or ((float(last), value_at(track, last)),))
