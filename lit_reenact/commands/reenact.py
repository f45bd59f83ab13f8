"""``lit-reenact reenact``: drive the target with one source or several."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lit_reenact.commands.common import (
    Commands,
    add_synthesis,
    checkpoint_file,
    device_of,
    is_track,
    original_video,
    policy_file,
    refuse_lost_inputs,
    track_folder,
)
from lit_reenact.core.errors import ReenactError

if TYPE_CHECKING:
    from lit_reenact.synthesis import ReenactmentFiles, ReenactmentSettings

Source = Path | None
"""Track or video of who drives; None where the policy needs nobody."""

PRINTED_WARNINGS = 5
"""Largest number of printed lines of the guard's report; its file has all of them."""


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "reenact",
        help="drive the target with the source and write a video",
        description="Drive the target with one source or several, and write a video for each. After an interruption, the same "
        "command continues where it stopped.",
    )
    parser.add_argument(
        "--source",
        type=Path,
        nargs="+",
        metavar="S",
        help="persons who drive: track folders, or videos, which are tracked first; the preset 'eye-contact' needs none",
    )
    parser.add_argument(
        "--target", type=Path, required=True, metavar="T", help="person who is driven: the track that the network was trained on"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="video to write, OUT.mp4; for several sources, a folder that gets one video named after each source",
    )
    _add_transfer(parser)
    add_synthesis(parser)
    parser.set_defaults(run=run)


def _add_transfer(parser: argparse.ArgumentParser) -> None:
    transfer = parser.add_argument_group("what comes from whom")
    policy = transfer.add_mutually_exclusive_group()
    policy.add_argument(
        "--preset",
        default="full",
        metavar="NAME",
        help="what the source drives: full (head, expression, gaze), expression, dubbing, gaze, eye-contact or pose "
        "(default: %(default)s)",
    )
    policy.add_argument(
        "--policy", type=Path, metavar="FILE", help=".yaml file that says what the source drives, channel by channel"
    )
    transfer.add_argument(
        "--guard",
        choices=["warn", "clamp", "soft"],
        default="warn",
        help="treatment of poses and expressions that the target's training frames never showed: report them, cut them off, or "
        "bend them back (default: %(default)s)",
    )
    transfer.add_argument(
        "--fps",
        choices=["source", "target"],
        default="target",
        help="person whose frames per second the video has (default: %(default)s)",
    )
    transfer.add_argument(
        "--still",
        action="store_true",
        help="with --full-frame: paste into one still frame of the target (default: into its frames, played forward and back)",
    )
    transfer.add_argument(
        "--audio",
        choices=["source", "target", "none"],
        default="source",
        help="person whose sound the video has (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out and return its exit code."""
    from lit_reenact.synthesis import write_reenactment
    from lit_reenact.synthesis.inference import load_generator
    from lit_reenact.tracking.tracked_clip import TrackedClip

    settings = _settings(arguments)
    sources = _sources(arguments, settings)
    outputs = output_files([source or arguments.target for source in sources], arguments.output)
    checkpoint = checkpoint_file(arguments.checkpoint)
    _check_files(arguments, [*sources, arguments.target], outputs, [settings.original, checkpoint])
    target = TrackedClip.load(track_folder(arguments.target, arguments.tracks))
    generator = load_generator(checkpoint, device_of(arguments.device), target.track, arguments.precision, arguments.compile)

    def write(source: Source, output: Path) -> None:
        clip = None if source is None else TrackedClip.load(track_folder(source, arguments.tracks))
        _report(write_reenactment(clip, target, generator, output, settings, checkpoint, keep_finished=len(sources) > 1))

    if len(sources) == 1:
        write(sources[0], outputs[0])
    else:
        _write_each(write, sources, outputs)
    print("Every video says in its metadata, and under a signature, that it is AI-generated.")
    return 0


def output_files(sources: Sequence[Path], output: Path) -> list[Path]:
    """Return the .mp4 of every source: ``output`` itself, or a file in that folder that is named after the source.

    Raises:
        ReenactError: several sources and one file, another kind of file, or two sources of one name.
    """
    if output.suffix == ".mp4" and not output.is_dir():
        if len(sources) > 1:
            raise ReenactError(f"-o {output} is one file for {len(sources)} sources: give a folder, where each gets its own")
        return [output]
    if output.suffix and not output.is_dir():
        raise ReenactError(f"-o {output}: videos are written as .mp4; give such a name, or a folder")
    sources_by_name: dict[str, Path] = {}
    for source in sources:
        name = source.parent.name if source.suffix == ".safetensors" else source.stem if source.is_file() else source.name
        if name in sources_by_name:
            raise ReenactError(
                f"{sources_by_name[name]} and {source} would both be written to {output / name}.mp4: rename one of them"
            )
        sources_by_name[name] = source
    return [output / f"{name}.mp4" for name in sources_by_name]


def _settings(arguments: argparse.Namespace) -> ReenactmentSettings:
    from lit_reenact.synthesis import ReenactmentSettings
    from lit_reenact.transfer import load_policy

    original = original_video(arguments)
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


def _sources(arguments: argparse.Namespace, settings: ReenactmentSettings) -> list[Source]:
    if arguments.source:
        return list(arguments.source)
    if settings.policy.needs_source:
        raise ReenactError("lit-reenact reenact needs --source, a track or a video of who drives")
    return [None]


def _check_files(
    arguments: argparse.Namespace, people: Iterable[Source], outputs: Sequence[Path], others: Iterable[Path | None]
) -> None:
    """Refuse two videos of one name, and outputs that are inputs."""
    from lit_reenact.synthesis.driven_video import guard_report_path
    from lit_reenact.synthesis.video_plan import video_files
    from lit_reenact.tracking.jobs import make_jobs

    performers = [path for path in people if path is not None]
    make_jobs([(path, path.stem) for path in performers if not is_track(path)], arguments.tracks)
    files = [path for video in outputs for path in (*video_files(video), guard_report_path(video))]
    refuse_lost_inputs(files, performers, [*others, policy_file(arguments.policy or arguments.preset)], arguments.tracks)


def _write_each(write: Callable[[Source, Path], None], sources: Sequence[Source], outputs: Sequence[Path]) -> None:
    """Write a video for every source; one that fails does not stop the others.

    Raises:
        ReenactError: some sources failed; the sentence names all of them.
    """
    failures = []
    for source, output in zip(sources, outputs, strict=True):
        try:
            write(source, output)
        except (ReenactError, OSError) as error:
            failures.append(f"{source}: {error}")
            print(f"failed: {failures[-1]}", flush=True)
    print(f"{len(sources) - len(failures)} written, {len(failures)} failed")
    if failures:
        raise ReenactError("; ".join(failures))


def _report(files: ReenactmentFiles) -> None:
    print(
        f"Wrote {files.video} ({files.frame_count} frames, {float(files.fps):.5g} a second) and {files.side_by_side.name} "
        "(driving | conditioning | output)."
    )
    lines = files.guard_report.to_text().splitlines()
    for line in lines[:PRINTED_WARNINGS]:
        print(f"  {line}")
    if lines:
        rest = f"{len(lines) - PRINTED_WARNINGS} more and every frame" if len(lines) > PRINTED_WARNINGS else "every frame"
        print(f"  {rest} in {files.guard_file}")
