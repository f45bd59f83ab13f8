"""``lit-reenact edit``: change a person's own clip with sliders."""

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
    original_video,
    policy_file,
    refuse_lost_inputs,
    track_folder,
)
from lit_reenact.core.errors import ReenactError

if TYPE_CHECKING:
    from lit_reenact.edit import Edit
    from lit_reenact.face import FaceModel
    from lit_reenact.synthesis.base_performance import BasePerformance
    from lit_reenact.tracking.tracked_clip import TrackedClip

PRINTED_WARNINGS = 5
"""Largest number of printed sentences about what the training frames did not show."""


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "edit",
        help="change a person's own clip: head, gaze, expression, face, light, hair",
        description="Change a clip that a network was trained on with sliders, which an edit file can move over time, and write "
        "a video. `lit-reenact edit --list` names every slider.",
    )
    parser.add_argument(
        "--target",
        type=Path,
        metavar="T",
        help="the person to be shown: the track that the network was trained on, or its video",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.mp4", help="the video to write")
    edits = parser.add_argument_group("what is edited")
    edits.add_argument("--edit", type=Path, metavar="FILE", help="edit file, JSON or YAML: sliders with keyframes")
    edits.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="sliders",
        help="hold a slider at one value throughout, such as head_yaw=10; may be given several times, and overrides --edit",
    )
    edits.add_argument(
        "--remove-hair", action="store_true", help="show a bald head in front of the background behind it (default: off)"
    )
    edits.add_argument("--list", action="store_true", help="print the table of sliders and end")
    edits.add_argument(
        "--any-light",
        action="store_true",
        help="allow light that the training frames never showed (default: light sliders stop a little beyond what they showed)",
    )
    driving = parser.add_argument_group("who performs, if not the target itself")
    driving.add_argument(
        "--source", type=Path, metavar="S", help="track or video of a person who drives the target (default: nobody)"
    )
    driving.add_argument(
        "--preset",
        metavar="NAME",
        help="what the source drives, as in `lit-reenact reenact`: full, expression, dubbing, gaze, eye-contact or pose "
        "(default: full, if there is a source)",
    )
    add_synthesis(parser, without="the recorded frames are kept, and only --remove-hair works")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out and return its exit code."""
    from lit_reenact.face import load_face_model
    from lit_reenact.synthesis.edited_video import EditSettings, write_edited
    from lit_reenact.synthesis.inference import load_generator
    from lit_reenact.tracking.tracked_clip import TrackedClip

    if arguments.list and arguments.target is None:
        return _print_table(load_face_model("builtin"))
    _check_arguments(arguments)
    _refuse_lost_inputs(arguments)
    target = TrackedClip.load(track_folder(arguments.target, arguments.tracks))
    model = load_face_model(target.track.info.face_model)
    if arguments.list:
        return _print_table(model)
    edit = _edit(arguments, model)
    performance = _performance(arguments, target)
    checkpoint = generator = None
    if arguments.checkpoint is not None:
        checkpoint, device = checkpoint_file(arguments.checkpoint), device_of(arguments.device)
        generator = load_generator(checkpoint, device, target.track, arguments.precision, arguments.compile)
    settings = EditSettings(original_video(arguments), arguments.label, arguments.any_light)
    warnings = write_edited(target, edit, arguments.output, generator, checkpoint, settings, performance)
    if not edit.tracks and performance.policy is None:
        warnings = ()  # the recorded motion itself needs no warning
    _report(arguments, len(performance.parameters), warnings)
    return 0


def _check_arguments(arguments: argparse.Namespace) -> None:
    if arguments.target is None or (arguments.output is None and not arguments.list):
        raise ReenactError("lit-reenact edit needs --target, a track or its video, and -o, the .mp4 to write")
    if arguments.output is not None and arguments.output.suffix != ".mp4":
        raise ReenactError(f"-o {arguments.output}: videos are written as .mp4; give such a name")
    for path in _performers(arguments):
        if not is_track(path) and not path.is_file():
            raise ReenactError(f"{path}: no such track or video")


def _performers(arguments: argparse.Namespace) -> list[Path]:
    return [path for path in (arguments.target, arguments.source) if path is not None]


def _refuse_lost_inputs(arguments: argparse.Namespace) -> None:
    from lit_reenact.synthesis.video_plan import video_files

    outputs = [] if arguments.output is None else video_files(arguments.output)
    checkpoint = None if arguments.checkpoint is None else checkpoint_file(arguments.checkpoint)
    others = [arguments.edit, arguments.original, checkpoint, policy_file(arguments.preset)]
    refuse_lost_inputs(outputs, _performers(arguments), others, arguments.tracks)


def _edit(arguments: argparse.Namespace, model: FaceModel) -> Edit:
    """Combine the edit file with the sliders of ``--set``, which override it."""
    from lit_reenact.edit import Edit, parse_edit, read_edit

    edit = Edit() if arguments.edit is None else read_edit(arguments.edit, model)
    constant = parse_edit({"sliders": _slider_values(arguments.sliders)}, model, "--set")
    return Edit({**edit.tracks, **constant.tracks}, edit.time, edit.remove_hair or arguments.remove_hair)


def _slider_values(words: Sequence[str]) -> dict[str, float]:
    values = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            values[name.strip()] = float(value)
        except ValueError as error:
            raise ReenactError(f"--set {word}: give a name and a number, such as head_yaw=10") from error
    return values


def _performance(arguments: argparse.Namespace, target: TrackedClip) -> BasePerformance:
    from lit_reenact.synthesis.base_performance import base_performance
    from lit_reenact.tracking.tracked_clip import TrackedClip
    from lit_reenact.transfer import load_policy

    policy = load_policy(arguments.preset or "full") if arguments.source or arguments.preset else None
    source = None if arguments.source is None else TrackedClip.load(track_folder(arguments.source, arguments.tracks))
    return base_performance(target, source, policy)


def _report(arguments: argparse.Namespace, frame_count: int, warnings: Sequence[str]) -> None:
    sound = "its own audio" if arguments.source is None else "the source's audio"
    print(f"Wrote {arguments.output} ({frame_count} frames, with {sound}).")
    for line in warnings[:PRINTED_WARNINGS]:
        print(f"  {line}")
    print("It says in its metadata, and under a signature, that it is AI-generated, and how it was edited.")


def _print_table(model: FaceModel) -> int:
    from lit_reenact.edit import GROUPS, sliders_of

    sliders = sliders_of(model).values()
    width = max(len(slider.name) for slider in sliders)
    for group in GROUPS:
        print(group)
        for slider in (slider for slider in sliders if slider.group == group):
            extent = f"{slider.low:g} .. {slider.high:g} {slider.unit}"
            print(f"  {slider.name:{width}}  {extent:15}  default {slider.default:g}  {slider.help}")
    return 0
