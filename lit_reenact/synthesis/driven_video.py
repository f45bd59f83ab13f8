"""One person driven by another: two tracks and a transfer policy to the finished video."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import write_json
from lit_reenact.guard import GuardMode, GuardReport, guard
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import Ingredient, Model, Record
from lit_reenact.synthesis.full_frames import FullFrames, there_and_back
from lit_reenact.synthesis.video_plan import VideoPlan, side_by_side_path
from lit_reenact.synthesis.writing import write_video
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import PRESETS, TransferPolicy, frames_at_rate, resample_track, transfer, transferred_cuts

Role = Literal["source", "target"]


@dataclass(frozen=True)
class ReenactmentSettings:
    """The parts of a reenactment that come from the source and from the target, and the form of the video.

    Attributes:
        policy: what the source drives, channel by channel.
        guard: treatment of parameters that the target's training frames do not show.
        rate: person whose frames per second the video has. The network was trained at the target's rate, and its windows
            tell it how fast things move.
        sound: person whose sound the video has; None for a silent video.
        original: video that the target's track was made from, to paste the result back into its full frames; None shows the
            crop alone.
        still: paste into one frame, the one with the target's usual head pose, instead of into successive frames.
        label: say in a corner of every frame that it is AI-generated.
    """

    policy: TransferPolicy = PRESETS["full"]
    guard: GuardMode = "warn"
    rate: Role = "target"
    sound: Role | None = "source"
    original: Path | None = None
    still: bool = False
    label: bool = False


@dataclass(frozen=True)
class ReenactmentFiles:
    """The files that ``write_reenactment`` writes, and what a person wants to know about them.

    Attributes:
        video: the result.
        side_by_side: the second video: driving frame | conditioning | output.
        guard_file: the guard's report as JSON.
        guard_report: the guard's report.
        frame_count: number of frames in each video.
        fps: frames per second of each video.
    """

    video: Path
    side_by_side: Path
    guard_file: Path
    guard_report: GuardReport
    frame_count: int
    fps: Fraction


def write_reenactment(
    source: TrackedClip | None,
    target: TrackedClip,
    generator: Generator,
    output: Path,
    settings: ReenactmentSettings | None = None,
    checkpoint: Path | None = None,
    progress: bool = True,
    keep_finished: bool = False,
) -> ReenactmentFiles:
    """Drive the target with the source; write the video, its side-by-side version and the guard's report.

    Args:
        source: person who drives; None for a policy that needs no source.
        target: person who is driven.
        generator: network trained on the target's clip.
        output: the .mp4 to write.
        settings: what is taken from whom; None for full head reenactment at the target's rate with the source's sound.
        checkpoint: file of the generator, for the record; None if there is none.
        progress: show a progress bar.
        keep_finished: leave a finished video of the same content as it is.

    Raises:
        ReenactError: the policy needs a source, ``settings.original`` is not the target's video, or a file cannot be written.

    Example:
        >>> source, target = TrackedClip.load(Path("tracks/source")), TrackedClip.load(Path("tracks/target"))
        >>> write_reenactment(source, target, load_generator(checkpoint), Path("out.mp4"))
    """
    settings = settings or ReenactmentSettings()
    driver = target if source is None else source
    fps = target.fps if settings.rate == "target" else driver.fps
    driver_track, target_track = (resample_track(clip.track, fps) for clip in (driver, target))
    source_track = None if source is None else driver_track
    wanted = transfer(source_track, target_track, settings.policy)
    parameters, report = guard(wanted, target.track, settings.guard, fps, generator.key_frames)
    driver_frames = frames_at_rate(len(driver.track), driver.fps, fps)
    plan = VideoPlan(
        output,
        fps,
        parameters,
        record=_record(source, target, settings, checkpoint),
        cuts=transferred_cuts(source_track, target_track, settings.policy),
        audio_from=None if settings.sound is None else (driver if settings.sound == "source" else target).clip,
        full_frames=_full_frames(target, len(parameters), fps, settings),
        label=settings.label,
    )
    write_video(
        plan,
        target,
        generator,
        driving=lambda numbers: driver.read(driver_frames[numbers], generator.image_size),
        keep_finished=keep_finished,
        progress="reenacting" if progress else None,
    )
    guard_file = _write_report(report, output)
    return ReenactmentFiles(output, side_by_side_path(output), guard_file, report, len(parameters), fps)


def guard_report_path(video: Path) -> Path:
    """Return the path of the guard's report on a video."""
    return video.with_name(f"{video.stem}_guard.json")


def usual_frame(target: TrackedClip) -> int:
    """Return the frame, among those with a known face, whose landmarks are nearest to their mean over the clip."""
    known = target.track.valid.nonzero()[:, 0]
    points = target.track.landmarks.points[known, :, :2]
    distance: Tensor = (points - points.mean(0)).square().sum((1, 2))
    return int(known[distance.argmin()])


def _record(source: TrackedClip | None, target: TrackedClip, settings: ReenactmentSettings, checkpoint: Path | None) -> Record:
    driver = "eye contact" if source is None else source.track.info.source
    people = [(target, "target")] + ([] if source is None else [(source, "source")])
    return Record(
        title=f"{target.track.info.source} reenacted by {driver}",
        ingredients=tuple(Ingredient.of(clip.track, role) for clip, role in people),
        model=None if checkpoint is None else Model.of(checkpoint),
        settings={"policy": settings.policy.to_dict(), "guard": settings.guard},
        composite=settings.original is not None,
    )


def _full_frames(target: TrackedClip, count: int, fps: Fraction, settings: ReenactmentSettings) -> FullFrames | None:
    """Choose the target's frames under ``count`` frames of the output: those that the transfer plays, or always the same."""
    if settings.original is None:
        return None
    own_frames = frames_at_rate(len(target.track), target.fps, fps)
    numbers = torch.full((count,), usual_frame(target)) if settings.still else own_frames[there_and_back(count, len(own_frames))]
    return FullFrames(target.track, settings.original, numbers.tolist())


def _write_report(report: GuardReport, video: Path) -> Path:
    path = guard_report_path(video)
    try:
        write_json(path, report.to_dict())
    except OSError as error:
        raise ReenactError(f"{path} cannot be written: {error.strerror}") from error
    return path
