"""``lit-reenact evaluate``: measure frames on the part of the target that was kept from training."""

from __future__ import annotations

import argparse
from pathlib import Path

from lit_reenact.commands.common import Commands, device_of
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting

DESCRIPTION = """Compare frames with the real ones of the target's held-out part: the end of its clip, which no training saw
(70 % are for training, 10 % for validation, the rest for this; one second between them is left out). Baselines that learn
nothing are measured beside them: the nearest training frame, as it is, bent to the wanted face, or with a rendered face; and the
mean training frame.

  lit-reenact evaluate --target tracks/target --checkpoint CKPT            what a training reached
  lit-reenact evaluate --target tracks/target --frames folder/of/pictures  what another system reached

DIR gets metrics.json (each metric's mean and 95 % interval), frames.csv (the values of each frame), report.html (tables, curves,
error maps, the worst and the best frames, real and made over each other) and comparison.png (all methods side by side). The same
command writes the same numbers."""


WRITTEN = ("metrics.json", "frames.csv", "report.html", "comparison.png")


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
        "--also",
        action="append",
        default=[],
        type=named_folder,
        metavar="NAME=FOLDER",
        help="more frames to be measured beside them, as for --frames; as often as needed",
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("outputs/evaluation"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--retrack",
        action="store_true",
        help="also track the made frames again, from their pixels alone, and compare head pose, expression, gaze, blinks and "
        "jaw with the real ones', and the same of the baselines that move",
    )
    parser.add_argument(
        "--edits",
        action="store_true",
        help="also edit all that the checkpoint was not trained on (turn the head, look aside, close an eye, a stronger "
        "expression), track the result again and tell what moved, and beside it what is found where the real frames are bent so; "
        "wants --checkpoint",
    )
    parser.add_argument(
        "--identity-model",
        type=Path,
        metavar="FILE.onnx",
        help="a face recognition network of your own, such as w600k_r50.onnx of InsightFace: adds identity similarity, the "
        "cosine between its features of the made and of the real face",
    )
    parser.add_argument(
        "--fid-model",
        type=Path,
        metavar="FILE.onnx",
        help="an Inception network of your own, for pictures of RGB in [-1, 1]: adds the Frechet distance (FID) between made and "
        "real frames",
    )
    parser.add_argument(
        "--wandb",
        nargs="?",
        const="lit_reenact",
        metavar="PROJECT",
        help="also log to Weights & Biases: in the checkpoint's own run, else in one of this evaluation; offline if need be "
        "(project: %(const)s)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.set_defaults(run=run)


def named_folder(word: str) -> tuple[str, Path]:
    """``NAME=FOLDER`` in two."""
    name, _, folder = word.partition("=")
    if not name or not folder:
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=FOLDER: give these frames a name for the table")
    return name, Path(folder)


def _inputs(arguments: argparse.Namespace) -> list[Path | None]:
    from lit_reenact.evaluation.frame_folder import pictures_in
    from lit_reenact.tracking.trackfile import track_files

    folders = [folder for folder in (arguments.frames, *dict(arguments.also).values()) if folder is not None and folder.is_dir()]
    pictures = [picture for folder in folders for picture in pictures_in(folder)]
    networks = (arguments.checkpoint, arguments.identity_model, arguments.fid_model)
    return [*track_files(arguments.target), *networks, *pictures]


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; returns its exit code."""
    from lit_reenact.evaluation.edit_fidelity import edits_rows
    from lit_reenact.evaluation.evaluate import beside, evaluate, from_folder, synthesised, with_edits, write_numbers
    from lit_reenact.evaluation.evaluation_page import write_grid, write_page
    from lit_reenact.evaluation.table import aligned, text_table
    from lit_reenact.metrics.backbones import OnnxBackbone
    from lit_reenact.tracking.tracked_clip import TrackedClip

    if arguments.edits and arguments.checkpoint is None:
        raise ReenactError("--edits wants --checkpoint: pictures that are there already cannot be edited")
    refuse_overwriting((arguments.output / name for name in WRITTEN), _inputs(arguments))
    target = TrackedClip.load(arguments.target.parent if arguments.target.suffix == ".safetensors" else arguments.target)
    files = {"identity": arguments.identity_model, "fid": arguments.fid_model}
    networks = {metric: OnnxBackbone(file) for metric, file in files.items() if file is not None}
    if arguments.checkpoint is not None:
        candidate = synthesised(target, arguments.checkpoint, device_of(arguments.device))
    else:
        candidate = from_folder(target, arguments.frames)
    others = beside(target, candidate, dict(arguments.also))
    evaluation = evaluate(target, candidate, track_again=arguments.retrack, others=others, networks=networks)
    if arguments.edits:
        evaluation = with_edits(evaluation, target, arguments.checkpoint, device_of(arguments.device))
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_numbers(evaluation, arguments.output)
    write_page(evaluation, arguments.output / "report.html")
    write_grid(evaluation, arguments.output / "comparison.png")
    print(text_table(evaluation.estimates))
    print(f"Means over {evaluation.measured} held-out frames of {evaluation.target}, with 95 % intervals.")
    if evaluation.edits:
        print("What edits moved in frames that no training saw, found again from pixels:")
        print(aligned(edits_rows(evaluation.edits)))
        print("The same without a network, where the real frames are bent by the face mesh to show the edits:")
        print(aligned(edits_rows(evaluation.bent_edits)))
    print(f"Wrote {arguments.output}/: metrics.json, frames.csv, report.html, comparison.png.")
    if arguments.wandb is not None:
        from lit_reenact.evaluation.wandb_log import log_evaluation

        log_evaluation(evaluation, arguments.output, arguments.checkpoint, arguments.wandb)
    return 0
