"""``lit-reenact evaluate``: measure frames on the part of the target that was held out from training."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lit_reenact.commands.common import Commands, checkpoint_file, device_of
from lit_reenact.commands.evaluate_targets import add_inputs, arguments_of_people, load_target, measure_people
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting

if TYPE_CHECKING:
    from lit_reenact.core.schema import Track
    from lit_reenact.evaluation.evaluate import Evaluation
    from lit_reenact.tracking.tracked_clip import TrackedClip

DESCRIPTION = """Compare frames with the real ones of the target's held-out part: the end of its clip, which the training did not
use. The protocol says which frames these are, --protocol with --frames and otherwise the checkpoint (by default last-fifth: 70 %
are for training, 10 % for validation and the rest for this, with one second between them left out). Baselines that learn nothing
are measured as well: the nearest training frame, as it is, warped to the wanted face, or with a rendered face; and the mean
training frame.

  lit-reenact evaluate --target tracks/target --checkpoint CKPT            measure a training
  lit-reenact evaluate --target tracks/target --frames folder/of/pictures  measure another system
  lit-reenact evaluate --target tracks/* --checkpoint outputs/{clip}/seed-0    measure on several people

DIR gets metrics.json (mean and 95 % confidence interval of each metric), frames.csv (the values of each frame), report.html
(tables, curves, error maps, the worst and the best frames, real and generated over each other) and comparison.png (all methods
side by side). The same command writes the same numbers.

With several targets each person's files go to DIR/NAME, the name of the target's folder, which also takes the place of {clip} in
paths; a checkpoint that was trained on all of them needs no {clip}. DIR then gets people.json, people.csv and report.html: means
over people with confidence intervals over people and frames, each person's values, and the differences to each baseline."""


OUTPUT_NAMES = ("metrics.json", "frames.csv", "report.html", "comparison.png")


def add(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a checkpoint, or another system's frames, on the part of the target that was held out from training",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_inputs(parser)
    _add_measurements(parser)
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("outputs/evaluation"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--wandb",
        nargs="?",
        const="lit_reenact",
        metavar="PROJECT",
        help="also log to Weights & Biases: in the checkpoint's own run if there is one, otherwise in a run of this evaluation; "
        "offline without a connection (project: %(const)s)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.set_defaults(run=run)


def _add_measurements(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--retrack",
        action="store_true",
        help="also track the generated frames again, from their pixels alone, and compare head pose, expression, gaze, blinks "
        "and jaw with the real ones'; the baselines that move are tracked too",
    )
    parser.add_argument(
        "--edits",
        action="store_true",
        help="also edit the frames that the checkpoint was not trained on (turn the head, look aside, close an eye, a stronger "
        "expression), track the result again and report what moved, next to the same edits by warping the real frames; needs "
        "--checkpoint",
    )
    parser.add_argument(
        "--drivers",
        type=Path,
        nargs="+",
        default=[],
        metavar="TRACK",
        help="tracks of persons who drive the target: the report says how far their motion lies from the key frames of the "
        "checkpoint's network, beside training and held-out frames",
    )
    parser.add_argument(
        "--matted",
        action="store_true",
        help="put white in place of the background, in the real and in all other frames, before anything is measured; the mask "
        "is found in the real frame. These numbers are not comparable with those of whole frames, and want an -o of their own",
    )
    parser.add_argument(
        "--without-networks",
        action="store_true",
        help="leave out what needs a network (LPIPS, identity, the second detector's landmarks): about twice as fast",
    )
    parser.add_argument(
        "--identity-model",
        type=Path,
        metavar="FILE.onnx",
        help="a face recognition network of your own, such as w600k_r50.onnx of InsightFace: adds CSIM, the "
        "cosine between its embeddings of the generated and of the real face",
    )
    parser.add_argument(
        "--fid-model",
        type=Path,
        metavar="FILE.onnx",
        help="an Inception network of your own, for RGB pictures in [-1, 1]: adds the Frechet distance (FID) between generated "
        "and real frames",
    )


def _inputs(arguments: argparse.Namespace) -> list[Path | None]:
    from lit_reenact.evaluation.frame_folder import pictures_in
    from lit_reenact.tracking.trackfile import track_files

    folders = [folder for folder in (arguments.frames, *dict(arguments.also).values()) if folder is not None and folder.is_dir()]
    pictures = [picture for folder in folders for picture in pictures_in(folder)]
    files = (arguments.manifest, arguments.checkpoint, arguments.identity_model, arguments.fid_model)
    tracks = [file for track in (arguments.target, *arguments.drivers) for file in track_files(track)]
    return [*tracks, *files, *pictures]


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    people = arguments_of_people(arguments)
    for own in people.values():
        _check(own)
    if len(people) == 1:
        _measure(*people.values())
    else:
        measure_people(people, arguments.output, [file for own in people.values() for file in _inputs(own)], _measure)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be measured, or what would write over an input, before anything is measured."""
    from lit_reenact.evaluation.result_files import refuse_other_kind

    if arguments.edits and arguments.checkpoint is None:
        raise ReenactError("--edits wants --checkpoint: pictures that are there already cannot be edited")
    if arguments.drivers and arguments.checkpoint is None:
        raise ReenactError("--drivers wants --checkpoint: pictures that are there already have no key frames")
    if arguments.edits and arguments.matted:
        raise ReenactError("--edits measures whole frames, --matted the person on white: run them one after the other")
    if arguments.checkpoint is not None:
        arguments.checkpoint = checkpoint_file(arguments.checkpoint)
    refuse_overwriting((arguments.output / name for name in OUTPUT_NAMES), _inputs(arguments))
    refuse_other_kind(arguments.output, arguments.matted)


def _measure(arguments: argparse.Namespace) -> Evaluation:
    """Measure one person and write that person's files."""
    from lit_reenact.evaluation.report import write_report
    from lit_reenact.evaluation.report_pictures import write_grid
    from lit_reenact.evaluation.result_files import write_numbers

    target = load_target(arguments.target)
    evaluation = _evaluate(arguments, target)
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_numbers(evaluation, arguments.output)
    write_report(evaluation, arguments.output / "report.html")
    write_grid(evaluation, arguments.output / "comparison.png")
    _print_summary(evaluation, arguments.output)
    if arguments.wandb is not None:
        from lit_reenact.evaluation.wandb_log import log_evaluation

        log_evaluation(evaluation, arguments.output, arguments.checkpoint, arguments.wandb)
    return evaluation


def _evaluate(arguments: argparse.Namespace, target: TrackedClip) -> Evaluation:
    from lit_reenact.evaluation.candidates import read_candidate, read_other_systems, synthesise_candidate
    from lit_reenact.evaluation.evaluate import add_edits, evaluate
    from lit_reenact.metrics.backbones import OnnxBackbone

    files = {"csim": arguments.identity_model, "fid": arguments.fid_model}
    networks = {metric: OnnxBackbone(file) for metric, file in files.items() if file is not None}
    if arguments.checkpoint is None:
        candidate = read_candidate(target, arguments.frames, arguments.protocol)
    else:
        candidate = synthesise_candidate(
            target,
            arguments.checkpoint,
            device_of(arguments.device),
            protocol=arguments.protocol,
            drivers=_drivers(arguments.drivers),
        )
    others = read_other_systems(target, candidate, dict(arguments.also))
    measured = {"track_again": arguments.retrack, "matted": arguments.matted, "with_networks": not arguments.without_networks}
    evaluation = evaluate(target, candidate, others=others, networks=networks, **measured)
    if arguments.edits:
        evaluation = add_edits(evaluation, target, arguments.checkpoint, device_of(arguments.device))
    return evaluation


def _drivers(folders: Sequence[Path]) -> dict[str, Track]:
    """Return the tracks of drivers by the names of their folders.

    Raises:
        ReenactError: two folders have one name, or one holds no track.
    """
    tracks: dict[str, Track] = {}
    for clip in map(load_target, folders):
        if clip.folder.name in tracks:
            raise ReenactError(f"--drivers names two tracks {clip.folder.name}: rename one of the folders, or leave it out")
        tracks[clip.folder.name] = clip.track
    return tracks


def _print_summary(evaluation: Evaluation, output: Path) -> None:
    from lit_reenact.evaluation.edit_fidelity import edits_rows
    from lit_reenact.evaluation.table import align, text_table

    print(text_table(evaluation.estimates))
    frames = f"{evaluation.counted_frames} held-out frames of {evaluation.target} ({evaluation.protocol})"
    frames += ", matted: the person on white" if evaluation.matted else ""
    print(f"Means over {frames}, with 95 % confidence intervals.")
    if evaluation.reference_distance is not None:
        print(evaluation.reference_distance.to_text())
    if evaluation.edits:
        print("What edits moved in frames that the training did not use, tracked again from pixels:")
        print(align(edits_rows(evaluation.edits)))
        print("The same without a network, where the face mesh warps the real frames to show the edits:")
        print(align(edits_rows(evaluation.warped_edits)))
    print(f"Wrote {output}/: {', '.join(OUTPUT_NAMES)}.")
