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
    original_of,
    policy_file,
    refuse_lost_inputs,
    track_folder,
)
from lit_reenact.core.errors import ReenactError

if TYPE_CHECKING:
    from lit_reenact.edit import Edit
    from lit_reenact.face import FaceModel

SHOWN = 5
"""Lines about what the training did not show."""


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "edit",
        help="change a person's own clip: head, gaze, expression, face, light, hair",
        description="Change a clip that a network was trained on by sliders, which an edit file moves over time, and write a "
        "video. `lit-reenact edit --list` names them all.",
    )
    parser.add_argument("--target", type=Path, metavar="T", help="the track the checkpoint was trained on, or its video")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.mp4")
    edits = parser.add_argument_group("what is edited")
    edits.add_argument("--edit", type=Path, metavar="FILE", help="an edit file, JSON or YAML, with keyframes")
    edits.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="hold a slider at a value all the time, such as head_yaw=10; as often as needed; goes before the file",
    )
    edits.add_argument("--remove-hair", action="store_true", help="show a bald head before the background behind it")
    edits.add_argument("--list", action="store_true", help="print the table of sliders and end")
    edits.add_argument(
        "--any-light",
        action="store_true",
        help="let the light be what the training never showed, too; otherwise its sliders stop a little beyond it",
    )
    driving = parser.add_argument_group("who performs, if not the target itself")
    driving.add_argument("--source", type=Path, metavar="S", help="a track, or a video: who drives the target")
    driving.add_argument(
        "--preset",
        metavar="NAME",
        help="what the source drives, as in `lit-reenact reenact` (full without it)",
    )
    add_synthesis(parser, without="the real frames are kept, for --remove-hair alone")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; returns its exit code."""
    from lit_reenact.face import load_face_model
    from lit_reenact.synthesis.edited_video import EditSettings, base_performance, write_edited
    from lit_reenact.synthesis.inference import load_generator
    from lit_reenact.tracking.tracked_clip import TrackedClip
    from lit_reenact.transfer import load_policy

    if arguments.list and arguments.target is None:
        return _print_table(load_face_model("builtin"))
    if arguments.target is None or (arguments.output is None and not arguments.list):
        raise ReenactError("lit-reenact edit needs --target, a track or its video, and -o, the .mp4 to write")
    if arguments.output is not None and arguments.output.suffix != ".mp4":
        raise ReenactError(f"-o {arguments.output}: videos are written as .mp4; give such a name")
    for path in (arguments.target, *([arguments.source] if arguments.source else [])):
        if not is_track(path) and not path.is_file():
            raise ReenactError(f"{path}: no such track or video")
    _refuse_lost_inputs(arguments)
    target = TrackedClip.load(track_folder(arguments.target, arguments.tracks))
    model = load_face_model(target.track.info.face_model)
    if arguments.list:
        return _print_table(model)
    edit = _edit(arguments.edit, arguments.settings, arguments.remove_hair, model)
    policy = load_policy(arguments.preset or "full") if arguments.source or arguments.preset else None
    source = None if arguments.source is None else TrackedClip.load(track_folder(arguments.source, arguments.tracks))
    performance = base_performance(target, source, policy)
    checkpoint = generator = None
    if arguments.checkpoint is not None:
        checkpoint, device = checkpoint_file(arguments.checkpoint), device_of(arguments.device)
        generator = load_generator(checkpoint, device, target.track, arguments.precision, arguments.compile)
    edit_settings = EditSettings(original_of(arguments), arguments.label, arguments.any_light)
    warnings = write_edited(target, edit, arguments.output, generator, checkpoint, edit_settings, performance)
    sound = "its own audio" if source is None else "the source's audio"
    print(f"Wrote {arguments.output} ({len(performance.parameters)} frames, with {sound}).")
    for line in warnings[:SHOWN] if edit.tracks or policy else []:
        print(f"  {line}")
    print("It says in its metadata, and under a signature, that it is AI-generated, and how it was edited.")
    return 0


def _refuse_lost_inputs(arguments: argparse.Namespace) -> None:
    from lit_reenact.synthesis.video_plan import video_files

    outputs = [] if arguments.output is None else video_files(arguments.output)
    performers = [arguments.target, *([arguments.source] if arguments.source else [])]
    checkpoint = None if arguments.checkpoint is None else checkpoint_file(arguments.checkpoint)
    others = [arguments.edit, arguments.original, checkpoint, policy_file(arguments.preset)]
    refuse_lost_inputs(outputs, performers, others, arguments.tracks)


def _edit(file: Path | None, settings: Sequence[str], remove_hair: bool, model: FaceModel) -> Edit:
    """What the file and ``--set`` say together."""
    from lit_reenact.edit import Edit, parse_edit, read_edit

    values: dict[str, object] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            values[name.strip()] = float(value)
        except ValueError as error:
            raise ReenactError(f"--set {setting}: give a name and a number, such as head_yaw=10") from error
    edit = Edit() if file is None else read_edit(file, model)
    held = parse_edit({"sliders": values}, model, "--set")
    return Edit({**edit.tracks, **held.tracks}, edit.time, edit.remove_hair or remove_hair)


def _print_table(model: FaceModel) -> int:
    from lit_reenact.edit import GROUPS, sliders_of

    sliders = sliders_of(model).values()
    wide = max(len(slider.name) for slider in sliders)
    for group in GROUPS:
        print(group)
        for slider in (slider for slider in sliders if slider.group == group):
            extent = f"{slider.low:g} .. {slider.high:g} {slider.unit}"
            print(f"  {slider.name:{wide}}  {extent:15}  default {slider.default:g}  {slider.help}")
    return 0
