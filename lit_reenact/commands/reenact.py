"""``lit-reenact reenact``: drive the target with the source."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lit_reenact.commands.common import (
    Commands,
    add_synthesis,
    checkpoint_file,
    device_of,
    is_track,
    original_of,
    policy_file,
    refuse_lost_inputs,
    track_folder,
)
from lit_reenact.core.errors import ReenactError

if TYPE_CHECKING:
    from lit_reenact.synthesis import ReenactmentFiles, ReenactmentSettings

SHOWN = 5
"""Lines of the guard's report on the screen; the file has all."""


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "reenact",
        help="drive the target with the source and write a video",
        description="Drive the target with one source or several, and write a video of each. "
        "What was killed goes on with the same command.",
    )
    parser.add_argument(
        "--source",
        type=Path,
        nargs="+",
        metavar="S",
        help="who drives: track folders, or videos (tracked first); the preset 'eye-contact' needs nobody",
    )
    parser.add_argument(
        "--target", type=Path, required=True, metavar="T", help="who is driven: the track the checkpoint was trained on"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="OUT.mp4, or of several sources a folder of NAME.mp4"
    )
    _add_transfer(parser)
    add_synthesis(parser)
    parser.set_defaults(run=run)


def _add_transfer(parser: argparse.ArgumentParser) -> None:
    transfer = parser.add_argument_group("what is taken from whom")
    policy = transfer.add_mutually_exclusive_group()
    policy.add_argument(
        "--preset",
        default="full",
        metavar="NAME",
        help="full (head, expression, gaze), expression, dubbing, gaze, eye-contact or pose (default: %(default)s)",
    )
    policy.add_argument("--policy", type=Path, metavar="FILE", help="a .yaml that says it for every channel")
    transfer.add_argument(
        "--guard",
        choices=["warn", "clamp", "soft"],
        default="warn",
        help="what to do with what the target's training never showed: tell, cut off, or bend back (default: %(default)s)",
    )
    transfer.add_argument(
        "--fps",
        choices=["source", "target"],
        default="target",
        help="whose frames per second the video has (default: %(default)s)",
    )
    transfer.add_argument(
        "--still",
        action="store_true",
        help="with --full-frame: the result stands in one still frame of the target, not in its frames played forward and back",
    )
    transfer.add_argument("--audio", choices=["source", "target", "none"], default="source", help="default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; returns its exit code."""
    from lit_reenact.synthesis import write_reenactment
    from lit_reenact.synthesis.inference import load_generator
    from lit_reenact.tracking.batch import make_jobs
    from lit_reenact.tracking.tracked_clip import TrackedClip

    settings = _settings(arguments)
    sources: list[Path | None] = list(arguments.source or [])
    if not settings.policy.needs_source and not sources:
        sources = [None]
    if not sources:
        raise ReenactError("lit-reenact reenact needs --source, a track or a video of who drives")
    outputs = output_files([arguments.target if source is None else source for source in sources], arguments.output)
    videos = [path for path in (*sources, arguments.target) if path is not None and not is_track(path)]
    make_jobs([(path, path.stem) for path in videos], arguments.tracks)
    checkpoint = checkpoint_file(arguments.checkpoint)
    performers = [path for path in (*sources, arguments.target) if path is not None]
    others = [settings.original, checkpoint, policy_file(arguments.policy or arguments.preset)]
    refuse_lost_inputs(_written(outputs), performers, others, arguments.tracks)
    target = TrackedClip.load(track_folder(arguments.target, arguments.tracks))
    generator = load_generator(checkpoint, device_of(arguments.device), target.track, arguments.precision, arguments.compile)
    failed = []
    for source, output in zip(sources, outputs, strict=True):
        try:
            clip = None if source is None else TrackedClip.load(track_folder(source, arguments.tracks))
            written = write_reenactment(clip, target, generator, output, settings, checkpoint, keep_finished=len(sources) > 1)
            _report(written)
        except (ReenactError, OSError) as error:
            if len(sources) == 1:
                raise
            failed.append(f"{source}: {error}")
            print(f"failed: {failed[-1]}", flush=True)
    if len(sources) > 1:
        print(f"{len(sources) - len(failed)} written, {len(failed)} failed")
    if failed:
        raise ReenactError("; ".join(failed))
    print("Every video says in its metadata, and under a signature, that it is AI-generated.")
    return 0


def output_files(sources: Sequence[Path], output: Path) -> list[Path]:
    """The .mp4 of every source: ``output`` itself, or named after the source in that folder.

    Raises:
        ReenactError: several sources and one file, another kind of file, or two sources of one name.
    """
    if output.suffix == ".mp4" and not output.is_dir():
        if len(sources) > 1:
            raise ReenactError(f"-o {output} is one file for {len(sources)} sources: give a folder, where each gets its own")
        return [output]
    if output.suffix and not output.is_dir():
        raise ReenactError(f"-o {output}: videos are written as .mp4; give such a name, or a folder")
    taken: dict[str, Path] = {}
    for source in sources:
        name = source.parent.name if source.suffix == ".safetensors" else source.stem if source.is_file() else source.name
        if name in taken:
            raise ReenactError(f"{taken[name]} and {source} would both be written to {output / name}.mp4: rename one of them")
        taken[name] = source
    return [output / f"{name}.mp4" for name in taken]


def _written(videos: Sequence[Path]) -> list[Path]:
    """All that is written for some videos."""
    from lit_reenact.synthesis.driven_video import guard_report_path
    from lit_reenact.synthesis.video_plan import video_files

    return [path for video in videos for path in (*video_files(video), guard_report_path(video))]


def _settings(arguments: argparse.Namespace) -> ReenactmentSettings:
    from lit_reenact.synthesis import ReenactmentSettings
    from lit_reenact.transfer import load_policy

    original = original_of(arguments)
    if arguments.still and original is None:
        raise ReenactError("--still is for --full-frame alone: give both, or neither")
    return ReenactmentSettings(
        policy=load_policy(str(arguments.policy or arguments.preset)),
        guard=arguments.guard,
        rate=arguments.fps,
        sound=None if arguments.audio == "none" else arguments.audio,
        original=original,
        still=arguments.still,
        label=arguments.label,
    )


def _report(written: ReenactmentFiles) -> None:
    shown = f"{written.frame_count} frames, {float(written.fps):.5g} a second"
    print(f"Wrote {written.video} ({shown}) and {written.side_by_side.name} (driving | conditioning | output).")
    lines = written.guard_report.to_text().splitlines()
    for line in lines[:SHOWN]:
        print(f"  {line}")
    if lines:
        more = f"{len(lines) - SHOWN} more and every frame" if len(lines) > SHOWN else "every frame"
        print(f"  {more} in {written.guard_file}")
