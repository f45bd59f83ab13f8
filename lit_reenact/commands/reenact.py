"""``lit-reenact reenact``: drive the target with the source."""

from __future__ import annotations

import argparse
from pathlib import Path

from lit_reenact.commands.common import Commands, device_of, is_track, track_folder


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("reenact", help="drive the target with the source and write a video")
    parser.add_argument(
        "--source", type=Path, required=True, metavar="S", help="who drives: a track folder, or a video (tracked first)"
    )
    parser.add_argument(
        "--target", type=Path, required=True, metavar="T", help="who is driven: the track the checkpoint was trained on"
    )
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="C", help="written by `lit-reenact fit`")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4")
    parser.add_argument(
        "--tracks",
        type=Path,
        default=Path("outputs/tracks"),
        help="where videos given here are tracked to (default: %(default)s)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="bfloat16 is about twice as fast where the processor knows it; auto finds out (default: %(default)s)",
    )
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile the network first, which takes a minute or two and a C++ compiler, on a GPU into CUDA graphs: worth trying "
        "there on long videos; on processors it has been seen to make things slower",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; returns its exit code."""
    from lit_reenact.inference import load_generator
    from lit_reenact.reenactment import TrackedClip, write_reenactment
    from lit_reenact.tracking.batch import make_jobs

    make_jobs([(path, path.stem) for path in (arguments.source, arguments.target) if not is_track(path)], arguments.tracks)
    source, target = (TrackedClip.load(track_folder(path, arguments.tracks)) for path in (arguments.source, arguments.target))
    device = device_of(arguments.device)
    generator = load_generator(arguments.checkpoint, device, target.track, arguments.precision, arguments.compile)
    video, beside = write_reenactment(source, target, generator, arguments.output, checkpoint=arguments.checkpoint.name)
    print(f"Wrote {video} ({len(source.track)} frames, with the source's audio) and {beside} (driving | conditioning | output).")
    print("Both say in their metadata that they are AI-generated.")
    return 0
