"""``lit-reenact track``: fit the face model to videos."""

from __future__ import annotations

import argparse
from pathlib import Path

from lit_reenact.commands.common import Commands
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("track", help="fit the face model to videos: VIDEO... -o DIR writes DIR/NAME/track.safetensors")
    parser.add_argument("videos", nargs="*", type=Path, metavar="VIDEO")
    parser.add_argument(
        "--manifest", type=Path, metavar="M", help="a text file: a video a line, relative to it, and if need be a tab and a name"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("outputs/tracks"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--size", type=int, default=256, help="side of the square working clip in pixels (default: %(default)s)")
    parser.add_argument("--face-model", default="builtin", metavar="MODEL", help="a name, or a file or folder (default: builtin)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="videos tracked at a time (default: %(default)s)")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="only the I-th of N parts, for clusters")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; returns its exit code."""
    from lit_reenact.face.reading import model_file
    from lit_reenact.tracking.batch import make_jobs, parse_shard, read_manifest, shard, track_all
    from lit_reenact.tracking.tracker import TrackerSettings, written_by_tracking

    entries = [(video, video.stem) for video in arguments.videos]
    if arguments.manifest is not None:
        entries += read_manifest(arguments.manifest)
    if not entries:
        raise ReenactError("lit-reenact track needs a video, or --manifest with a list of them")
    if arguments.jobs < 1:
        raise ReenactError(f"--jobs {arguments.jobs}: it takes 1 or more")
    every = make_jobs(entries, arguments.output)
    jobs = shard(every, *parse_shard(arguments.shard))
    inputs = [*(job.video for job in every), arguments.manifest, model_file(arguments.face_model)]
    refuse_overwriting((path for job in every for path in written_by_tracking(job.folder)), inputs)
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
