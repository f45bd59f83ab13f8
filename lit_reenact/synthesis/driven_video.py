"""One actor driven by another: from two tracks and a transfer's policy to the finished video."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from lit_reenact.core.errors import ReenactError
from lit_reenact.guard import GuardMode, GuardReport, guard
from lit_reenact.networks.generator import Generator
from lit_reenact.provenance import Ingredient, Model, Record
from lit_reenact.synthesis.full_frame import FullFrame, there_and_back
from lit_reenact.synthesis.writing import beside, write_video
from lit_reenact.tracking.tracked_clip import TrackedClip
from lit_reenact.transfer import PRESETS, TransferPolicy, at_rate, held_frames, transfer, transferred_cuts

Who = Literal["source", "target"]


@dataclass(frozen=True)
class Settings:
    """What a reenactment takes from whom, and how it is shown.

    Attributes:
        policy: of the transfer.
        guard: what happens to parameters that the target's training did not show.
        rate: whose frames per second the video has. The network was trained at the target's, and its windows tell it how fast
            things move.
        sound: whose sound it has; None for none.
        original: the video that the target's track was made of, to paste the result back into its full frames; None shows the
            crop alone.
        still: paste into one frame, in which the target's head is as it mostly is, not into one frame after the other.
        label: say in a corner of every frame that it is AI-generated.
    """

    policy: TransferPolicy = PRESETS["full"]
    guard: GuardMode = "warn"
    rate: Who = "target"
    sound: Who | None = "source"
    original: Path | None = None
    still: bool = False
    label: bool = False


@dataclass(frozen=True)
class Written:
    """What ``write_reenactment`` has made.

    Attributes:
        video: the result.
        beside: driving frame | conditioning | output.
        report: what the guard says, as JSON.
        guard: the same.
        frames: how many.
        fps: frames per second.
    """

    video: Path
    beside: Path
    report: Path
    guard: GuardReport
    frames: int
    fps: Fraction


def write_reenactment(
    source: TrackedClip | None,
    target: TrackedClip,
    generator: Generator,
    output: Path,
    settings: Settings | None = None,
    checkpoint: Path | None = None,
    progress: bool = True,
    keep: bool = False,
) -> Written:
    """Drive the target with the source and write what comes of it.

    Args:
        source: who drives; None for a policy that needs nobody.
        target: who is driven; the generator was trained on this clip.
        generator: the target's.
        output: the .mp4 to write.
        settings: see there.
        checkpoint: the generator's file, for the record.
        progress: whether to show a progress bar.
        keep: leave a finished video as it is that was made of the same.

    Raises:
        ReenactError: as ``transfer``, ``FullFrame`` and ``write_video``.
    """
    settings = settings or Settings()
    driver = target if source is None else source
    fps = target.fps if settings.rate == "target" else driver.fps
    driving, driven = (at_rate(clip.track, fps) for clip in (driver, target))
    asked = transfer(None if source is None else driving, driven, settings.policy)
    parameters, report = guard(asked, target.track, settings.guard, fps)
    seen = held_frames(len(driver.track), driver.fps, fps)
    write_video(
        parameters,
        target,
        generator,
        output,
        fps=fps,
        record=_record(source, target, settings, checkpoint),
        audio_from=None if settings.sound is None else (driver if settings.sound == "source" else target).clip,
        cuts=transferred_cuts(None if source is None else driving, driven, settings.policy),
        paste=_full_frame(target, len(parameters), fps, settings),
        driving=lambda numbers: driver.read(seen[numbers], generator.image_size),
        label=settings.label,
        keep=keep,
        progress="reenacting" if progress else None,
    )
    return Written(output, beside(output), _write_report(report, output), report, len(parameters), fps)


def _record(source: TrackedClip | None, target: TrackedClip, settings: Settings, checkpoint: Path | None) -> Record:
    driver = "eye contact" if source is None else source.track.info.source
    people = [(target, "target")] + ([] if source is None else [(source, "source")])
    return Record(
        title=f"{target.track.info.source} reenacted by {driver}",
        ingredients=tuple(Ingredient.of(clip.track, role) for clip, role in people),
        model=None if checkpoint is None else Model.of(checkpoint),
        settings={"policy": settings.policy.to_dict(), "guard": settings.guard},
        composite=settings.original is not None,
    )


def _full_frame(target: TrackedClip, frames: int, fps: Fraction, settings: Settings) -> FullFrame | None:
    """The target's frames that lie under those of the output: those that the transfer plays, or always the same."""
    if settings.original is None:
        return None
    at = held_frames(len(target.track), target.fps, fps)
    numbers = torch.full((frames,), usual_frame(target)) if settings.still else at[there_and_back(frames, len(at))]
    return FullFrame(target.track, settings.original, numbers.tolist())


def usual_frame(target: TrackedClip) -> int:
    """The frame with a known face in which the landmarks are nearest to where they are on average."""
    known = target.track.valid.nonzero()[:, 0]
    points = target.track.landmarks.points[known, :, :2]
    away: Tensor = (points - points.mean(0)).square().sum((1, 2))
    return int(known[away.argmin()])


def report_of(output: Path) -> Path:
    """Where the guard's report on a video lies."""
    return output.with_name(f"{output.stem}_guard.json")


def _write_report(report: GuardReport, output: Path) -> Path:
    path = report_of(output)
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ReenactError(f"{path} cannot be written: {error.strerror}") from error
    return path
