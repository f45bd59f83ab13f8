"""The command ``lit-reenact``: arguments in, the functions of the package, one sentence when the input is bad."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence
from pathlib import Path

from lit_reenact.errors import ReenactError

BAD_INPUT = 2
INTERRUPTED = 130

DESCRIPTION = """Deep Video Portraits as an experiment framework: track two videos, train a network on the target, and
give the target the source's head pose, expression and gaze.

  lit-reenact demo                                        the whole way on two embedded clips, in minutes on a CPU
  lit-reenact doctor                                      is this machine ready, and is my video?
  lit-reenact track target.mp4 source.mp4 -o tracks       fit the face model to videos
  lit-reenact fit --config configs/paper.yaml --track tracks/target
  lit-reenact reenact --source tracks/source --target tracks/target --checkpoint CKPT -o out.mp4
  lit-reenact evaluate --target tracks/target --checkpoint CKPT -o outputs/evaluation

Every video that it writes says in its metadata that it was AI-generated. Use it on people who agreed to it."""

EVALUATE = """Compare frames with the real ones of the target's held-out part: the end of its clip, which no training saw
(70 % are for training, 10 % for validation, the rest for this; one second between them is left out). Two baselines that learn
nothing, the nearest training frame and the mean training frame, are measured beside them.

  lit-reenact evaluate --target tracks/target --checkpoint CKPT            what a training reached
  lit-reenact evaluate --target tracks/target --frames folder/of/pictures  what another system reached

DIR gets metrics.json (each metric's mean and 95 % interval), frames.csv (the values of each frame) and report.html (tables,
curves, the worst and the best frames). The same command writes the same numbers."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command but fit, validate and test, which LightningCLI parses."""
    parser = argparse.ArgumentParser("lit-reenact", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="check this machine and, if given, videos")
    doctor.add_argument("videos", nargs="*", type=Path, metavar="VIDEO")
    doctor.set_defaults(run=_doctor)

    track = commands.add_parser("track", help="fit the face model to videos: VIDEO... -o DIR writes DIR/NAME/track.safetensors")
    track.add_argument("videos", nargs="*", type=Path, metavar="VIDEO")
    track.add_argument(
        "--manifest", type=Path, metavar="M", help="a text file: a video a line, relative to it, and if need be a tab and a name"
    )
    track.add_argument("-o", "--output", type=Path, default=Path("outputs/tracks"), metavar="DIR", help="default: %(default)s")
    track.add_argument("--size", type=int, default=256, help="side of the square working clip in pixels (default: %(default)s)")
    track.add_argument("--face-model", default="builtin", metavar="MODEL", help="a name, or a file or folder (default: builtin)")
    track.add_argument("--jobs", type=int, default=1, metavar="N", help="videos tracked at a time (default: %(default)s)")
    track.add_argument("--shard", default="1/1", metavar="I/N", help="only the I-th of N parts, for clusters")
    track.set_defaults(run=_track)

    for name, what in (
        ("fit", "train a generator"),
        ("validate", "measure on the validation part"),
        ("test", "measure on the test part"),
    ):
        commands.add_parser(name, help=f"{what} (LightningCLI; `lit-reenact {name} --help` lists every setting)", add_help=False)

    reenact = commands.add_parser("reenact", help="drive the target with the source and write a video")
    reenact.add_argument(
        "--source", type=Path, required=True, metavar="S", help="who drives: a track folder, or a video (tracked first)"
    )
    reenact.add_argument(
        "--target", type=Path, required=True, metavar="T", help="who is driven: the track the checkpoint was trained on"
    )
    reenact.add_argument("--checkpoint", type=Path, required=True, metavar="C", help="written by `lit-reenact fit`")
    reenact.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4")
    reenact.add_argument(
        "--tracks",
        type=Path,
        default=Path("outputs/tracks"),
        help="where videos given here are tracked to (default: %(default)s)",
    )
    reenact.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    reenact.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="bfloat16 is about twice as fast where the processor knows it; auto finds out (default: %(default)s)",
    )
    reenact.add_argument(
        "--compile",
        action="store_true",
        help="compile the network first, which takes a minute or two and a C++ compiler, on a GPU into CUDA graphs: worth trying "
        "there on long videos; on processors it has been seen to make things slower",
    )
    reenact.set_defaults(run=_reenact)

    evaluate = commands.add_parser(
        "evaluate",
        help="measure a checkpoint, or another system's frames, on the part of the target that was kept from training",
        description=EVALUATE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluate.add_argument("--target", type=Path, required=True, metavar="TRACK", help="a folder that `lit-reenact track` wrote")
    made_by = evaluate.add_mutually_exclusive_group(required=True)
    made_by.add_argument("--checkpoint", type=Path, metavar="C", help="written by `lit-reenact fit` on this target")
    made_by.add_argument(
        "--frames",
        type=Path,
        metavar="FOLDER",
        help="PNG or JPEG pictures, one for each held-out frame in the order of their names, square, of the clip's size or "
        "smaller; the real frames are then compared at that size",
    )
    evaluate.add_argument(
        "-o", "--output", type=Path, default=Path("outputs/evaluation"), metavar="DIR", help="default: %(default)s"
    )
    evaluate.add_argument(
        "--retrack",
        action="store_true",
        help="also track the made frames again, from their pixels alone, and compare head pose, expression, gaze, blinks and "
        "jaw with the real ones'; takes about as long again",
    )
    evaluate.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    evaluate.set_defaults(run=_evaluate)

    demo = commands.add_parser(
        "demo", help="prepare, track, train, test and reenact, on embedded clips or on --target A --source B"
    )
    demo.add_argument("--target", type=Path, metavar="A.mp4", help="who is driven (default: an embedded clip)")
    demo.add_argument("--source", type=Path, metavar="B.mp4", help="who drives (default: another embedded clip)")
    demo.add_argument("-o", "--output", type=Path, default=Path("outputs/demo"), metavar="DIR", help="default: %(default)s")
    demo.add_argument("--retrain", action="store_true", help="train anew although the folder holds a trained network")
    demo.add_argument("--steps", type=int, metavar="N", help="batch steps of training (default: those of configs/demo.yaml)")
    demo.set_defaults(run=_demo)
    return parser


def _doctor(arguments: argparse.Namespace) -> int:
    from lit_reenact.doctor import examine

    return examine(arguments.videos)


def _track(arguments: argparse.Namespace) -> int:
    from lit_reenact.tracking.batch import make_jobs, parse_shard, read_manifest, shard, track_all
    from lit_reenact.tracking.tracker import TrackerSettings

    entries = [(video, video.stem) for video in arguments.videos]
    if arguments.manifest is not None:
        entries += read_manifest(arguments.manifest)
    if not entries:
        raise ReenactError("lit-reenact track needs a video, or --manifest with a list of them")
    if arguments.jobs < 1:
        raise ReenactError(f"--jobs {arguments.jobs}: it takes 1 or more")
    jobs = shard(make_jobs(entries, arguments.output), *parse_shard(arguments.shard))
    outcomes = []
    for outcome in track_all(jobs, TrackerSettings(face_model=arguments.face_model), arguments.size, arguments.jobs):
        outcomes.append(outcome)
        print(f"[{len(outcomes)}/{len(jobs)}] {outcome.status} {outcome.job.video} -> {outcome.job.folder}", flush=True)
        for line in outcome.lines:
            print(f"  {line}")
        if outcome.status != "failed":
            print(f"  look at {outcome.job.folder / 'report.html'}", flush=True)
    kinds = [outcome.status for outcome in outcomes]
    print(", ".join(f"{kinds.count(kind)} {kind}" for kind in ("tracked", "skipped", "failed")))
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failed:
        raise ReenactError("; ".join(outcome.lines[0] for outcome in failed))
    if jobs:
        folder = jobs[0].folder
        print(f"Next: train on the target's track with `lit-reenact fit --config configs/paper.yaml --track {folder}`")
    return 0


def _reenact(arguments: argparse.Namespace) -> int:
    from lit_reenact.inference import load_generator
    from lit_reenact.reenactment import TrackedClip, write_reenactment
    from lit_reenact.tracking.batch import make_jobs

    make_jobs([(path, path.stem) for path in (arguments.source, arguments.target) if not _is_track(path)], arguments.tracks)
    source, target = (TrackedClip.load(_track_folder(path, arguments.tracks)) for path in (arguments.source, arguments.target))
    device = _device(arguments.device)
    generator = load_generator(arguments.checkpoint, device, target.track, arguments.precision, arguments.compile)
    video, beside = write_reenactment(source, target, generator, arguments.output, checkpoint=arguments.checkpoint.name)
    print(f"Wrote {video} ({len(source.track)} frames, with the source's audio) and {beside} (driving | conditioning | output).")
    print("Both say in their metadata that they are AI-generated.")
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from lit_reenact.evaluation.evaluate import evaluate, from_folder, synthesised, write_numbers
    from lit_reenact.evaluation.evaluation_page import write_page
    from lit_reenact.evaluation.table import text_table
    from lit_reenact.reenactment import TrackedClip

    target = TrackedClip.load(arguments.target.parent if arguments.target.suffix == ".safetensors" else arguments.target)
    if arguments.checkpoint is not None:
        candidate = synthesised(target, arguments.checkpoint, _device(arguments.device))
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


def _device(name: str) -> str:
    import torch

    return name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def _is_track(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".safetensors"


def _track_folder(path: Path, tracks: Path) -> Path:
    """The folder of a track that is named by its folder, its file, or the video to be tracked first."""
    from lit_reenact.tracking.tracker import TrackerSettings, track_video

    if _is_track(path):
        return path if path.is_dir() else path.parent
    folder = tracks / path.stem
    track_video(path, folder, TrackerSettings())
    return folder


def _demo(arguments: argparse.Namespace) -> int:
    from lit_reenact.demo.run import run_demo

    if (arguments.target is None) != (arguments.source is None):
        raise ReenactError("--target and --source go together: give both for your own videos, or neither for the embedded clips")
    run_demo(arguments.output, arguments.target, arguments.source, retrain=arguments.retrain, steps=arguments.steps)
    return 0


def _lightning(command: str, arguments: list[str]) -> int:
    from lit_reenact import fit

    {"fit": fit.run_fit, "validate": fit.run_validate, "test": fit.run_test}[command](arguments)
    return 0


def _sentence(error: OSError) -> str:
    name = error.filename or "a file"
    if error.errno == errno.ENOSPC:
        return f"{name}: the disk is full; free some space and run the same command again"
    return f"{name} cannot be read or written ({error.strerror or error}): choose another place or mend its permissions"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 bad input (one sentence on stderr), 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and words[0] in ("fit", "validate", "test"):
            return _lightning(words[0], words[1:])
        arguments = build_parser().parse_args(words)
        code: int = arguments.run(arguments)
        return code
    except ReenactError as error:
        print(f"lit-reenact: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        print(f"lit-reenact: {_sentence(error)}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt as interrupt:
        print(f"lit-reenact: {str(interrupt) or 'interrupted; the same command goes on'}", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
