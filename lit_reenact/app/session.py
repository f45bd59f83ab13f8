"""The edits of one person on one page. Nothing changes in place: every step returns a new session."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from lit_reenact.app.copying import Part, match_frame
from lit_reenact.app.keyframes import constant_track, cut_off, delete_key, has_key, set_key, value_at
from lit_reenact.app.performance import UneditedPerformance
from lit_reenact.app.runs import OpenRun
from lit_reenact.app.slider_grid import STEPS, snap
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.schema import FaceParameters
from lit_reenact.edit import Edit, SliderTrack, apply_sliders, hold_light


@dataclass(frozen=True, eq=False)
class EditingSession:
    """The state of one page in one browser.

    Attributes:
        run: trained run that is edited.
        performance: performance that the sliders are added to.
        frame: number of the frame in view.
        tracks: slider to its values over time, for each slider that was moved; times are frames.
        keyed: sliders that have keyframes. The others stand still over the whole video.
        remove_hair: True to remove the hair.
        any_light: True to let the sliders of the light go where the training showed none.
    """

    run: OpenRun
    performance: UneditedPerformance
    frame: int = 0
    tracks: Mapping[str, SliderTrack] = field(default_factory=dict)
    keyed: frozenset[str] = frozenset()
    remove_hair: bool = False
    any_light: bool = False

    @classmethod
    def begin(cls, run: OpenRun) -> EditingSession:
        """Return a session on the target's own video, without edits."""
        return cls(run, UneditedPerformance.of_target(run))

    def values(self) -> dict[str, float]:
        """Return the position of every slider in this frame."""
        moved = {name: snap(value_at(track, self.frame), self.run.sliders[name]) for name, track in self.tracks.items()}
        return {name: moved.get(name, slider.default) for name, slider in self.run.sliders.items()}

    def move(self, values: Mapping[str, float]) -> EditingSession:
        """Move sliders to these values. A slider with keyframes gets one here, another one moves in the whole video."""
        before, tracks = self.values(), dict(self.tracks)
        for name, value in values.items():
            slider = self.run.sliders[name]
            if abs(value - before[name]) < STEPS[slider.unit] / 2:
                continue
            if name in self.keyed:
                tracks[name] = set_key(tracks[name], self.frame, value)
            elif value == slider.default:
                del tracks[name]
            else:
                tracks[name] = constant_track(value)
        return replace(self, tracks=tracks)

    def go_to(self, frame: int) -> EditingSession:
        """View another frame, or the nearest that exists."""
        return replace(self, frame=min(max(frame, 0), len(self.performance) - 1))

    def reset(self, group: str | None = None) -> EditingSession:
        """Remove the edits of one group of sliders; all edits if ``group`` is None."""
        if group is None:
            return replace(self, tracks={}, keyed=frozenset(), remove_hair=False, any_light=False)
        kept = {n: t for n, t in self.tracks.items() if self.run.sliders[n].group != group}
        return replace(self, tracks=kept, keyed=self.keyed & kept.keys())

    def keyframes(self) -> dict[int, list[str]]:
        """Return the frames that have keys, in order, with the sliders that have a key there."""
        sliders: dict[int, list[str]] = {}
        for name in self.keyed:
            for time, _ in self.tracks[name].keys:
                sliders.setdefault(round(time), []).append(name)
        return {frame: sorted(sliders[frame], key=list(self.run.sliders).index) for frame in sorted(sliders)}

    def set_keyframe(self) -> EditingSession:
        """Set a key in this frame for every slider that was moved.

        Raises:
            ReenactError: no slider was moved.
        """
        if not self.tracks:
            raise ReenactError("a keyframe holds the sliders that are moved, and none is: move one first")
        values = self.values()
        tracks = {
            name: set_key(track, self.frame, values[name])
            if name in self.keyed
            else SliderTrack(((float(self.frame), values[name]),))
            for name, track in self.tracks.items()
        }
        return replace(self, tracks=tracks, keyed=frozenset(tracks))

    def delete_keyframe(self) -> EditingSession:
        """Delete the keys of this frame.

        Raises:
            ReenactError: this frame has no key.
        """
        here = {name for name in self.keyed if has_key(self.tracks[name], self.frame)}
        if not here:
            raise ReenactError(f"frame {self.frame} has no keyframe: go to one of those in the list")
        last = {name for name in here if len(self.tracks[name].keys) == 1}
        tracks = {name: delete_key(track, self.frame) if name in here else track for name, track in self.tracks.items()}
        return replace(self, tracks=tracks, keyed=self.keyed - last)

    def copy_from(self, frame: int, parts: Collection[Part]) -> EditingSession:
        """Move the sliders so that this frame looks like another one of the same performance before any edit.

        Raises:
            ReenactError: ``frame`` does not exist, or ``parts`` is empty.
        """
        if not 0 <= frame < len(self.performance):
            raise ReenactError(f"there is no frame {frame} to copy from: they go from 0 to {len(self.performance) - 1}")
        if not parts:
            raise ReenactError("choose what to copy: pose, expression or gaze")
        there, here = (self.performance.parameters[number : number + 1] for number in (frame, self.frame))
        return self.move(match_frame(there, here, parts, self.run.model, self.run.neck, self.run.sliders))

    def perform(self, performance: UneditedPerformance) -> EditingSession:
        """Apply the edits to another performance. Keys after its end are lost."""
        last = len(performance) - 1
        tracks = {name: cut_off(track, last) for name, track in self.tracks.items()}
        return replace(self, performance=performance, tracks=tracks).go_to(self.frame)

    def to_edit(self) -> Edit:
        """Return all edits as an edit file holds them."""
        return Edit(dict(self.tracks), "frames", self.remove_hair)

    def load(self, edit: Edit) -> EditingSession:
        """Replace all edits by those of an edit file.

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

    def edit_frames(self, start: int, stop: int) -> FaceParameters:
        """Return the parameters of frames [start, stop) with all edits, with ``hold_light`` applied unless ``any_light``."""
        return apply_sliders(
            self._hold_light(start, stop)[0],
            self.performance.parameters[start:stop],
            self.run.model,
            self.run.neck,
            self.run.target.track.actor,
        )

    def limits(self) -> tuple[str, ...]:
        """Return a sentence for every slider of the light that is moved farther than this frame follows it."""
        return self._hold_light(self.frame, self.frame + 1)[1]

    def _hold_light(self, start: int, stop: int) -> tuple[dict[str, Tensor], tuple[str, ...]]:
        times = torch.arange(start, stop, dtype=torch.float64)
        values = {name: track(times) for name, track in self.tracks.items()}
        if self.any_light:
            return values, ()
        return hold_light(values, self.performance.parameters[start:stop], self.run.target.track)
