"""``lit-reenact evaluate``: measure frames on the part of the target that was kept from training."""

from __future__ import annotations

import argparse
from pathlib import Path

from lit_reenact.commands.common import Commands, device_of

DESCRIPTION = """Compare frames with the real ones of the target's held-out part: the end of its clip, which no training saw
(70 % are for training, 10 % for validation, the rest for this; one second between them is left out). Two baselines that learn
nothing, the nearest training frame and the mean training frame, are measured beside them.

  lit-reenact evaluate --target tracks/target --checkpoint CKPT            what a training reached
  lit-reenact evaluate --target tracks/target --frames folder/of/pictures  what another system reached

DIR gets metrics.json (each metric's mean and 95 % interval), frames.csv (the values of each frame) and report.html (tables,
curves, the worst and the best frames). The same command writes the same numbers."""


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a checkpoint, or another system's frames, on the part of the target that was kept from training",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--target", type=Path, required=True, metavar="TRACK", help="a folder that `lit-reenact track` wrote")
    made_by = parser.add_mutually_exclusive_group(required=True)
    made_by.add_argument("--checkpoint", type=Path, metavar="C", help="written by `lit-reenact fit` on this target")
    made_by.add_argument(
        "--frames",
        type=Path,
        metavar="FOLDER",
        help="PNG or JPEG pictures, one for each held-out frame in the order of their names, square, of the clip's size or "
        "smaller; the real frames are then compared at that size",
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("outputs/evaluation"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--retrack",
        action="store_true",
        help="also track the made frames again, from their pixels alone, and compare head pose, expression, gaze, blinks and "
        "jaw with the real ones'; takes about as long again",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; returns its exit code."""
    from lit_reenact.evaluation.evaluate import evaluate, from_folder, synthesised, write_numbers
    from lit_reenact.evaluation.evaluation_page import write_page
    from lit_reenact.evaluation.table import text_table
    from lit_reenact.reenactment import TrackedClip

    target = TrackedClip.load(arguments.target.parent if arguments.target.suffix == ".safetensors" else arguments.target)
    if arguments.checkpoint is not None:
        candidate = synthesised(target, arguments.checkpoint, device_of(arguments.device))
    else:
        candidate = from_folder(target, arguments.frames)
    evaluation = evaluate(target, candidate, track_again=arguments.retrack)
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_numbers(evaluation, arguments.output)
    write_page(evaluation, arguments.output / "report.html")
    print(text_table(evaluation.estimates))
    print(f"Means over {evaluation.measured} held-out frames of {evaluation.target}, with 95 % intervals.")
    print(f"Wrote {arguments.output}/: metrics.json, frames.csv, report.html.")
    return 0
