"""``lit-reenact track``: fit the face model to videos."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lit_reenact.commands.common import Commands
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.core.split import LAST_FIFTH, PROTOCOLS

if TYPE_CHECKING:
    from lit_reenact.tracking.batch import Outcome
    from lit_reenact.tracking.jobs import Job


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("track", help="fit the face model to videos: VIDEO... -o DIR writes DIR/NAME/track.safetensors")
    parser.add_argument("videos", nargs="*", type=Path, metavar="VIDEO", help="video with a face")
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="M",
        help="text file with one video per line, relative to the file, optionally followed by a tab and a name",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("outputs/tracks"),
        metavar="DIR",
        help="folder for the tracks (default: %(default)s)",
    )
    parser.add_argument("--size", type=int, default=256, help="side of the square working clip in pixels (default: %(default)s)")
    parser.add_argument(
        "--face-model",
        default="builtin",
        metavar="MODEL",
        help="name, file or folder of the face model (default: %(default)s)",
    )
    parser.add_argument(
        "--protocol",
        choices=tuple(PROTOCOLS),
        default=LAST_FIFTH,
        help="split that a training will use, and in whose training part the person is learned: the last fifth, the last 350 or "
        "the last 500 frames for the test; or the last 600, with the first 1800 for training (default: %(default)s)",
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="number of videos tracked at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--shard", default="1/1", metavar="I/N", help="track only the I-th of N parts, for clusters (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from lit_reenact.tracking.batch import track_all
    from lit_reenact.tracking.settings import TrackerSettings

    jobs = _jobs(arguments)
    outcomes: list[Outcome] = []
    settings = TrackerSettings(face_model=arguments.face_model, protocol=arguments.protocol)
    for outcome in track_all(jobs, settings, arguments.size, arguments.jobs):
        outcomes.append(outcome)
        _report(outcome, f"{len(outcomes)}/{len(jobs)}")
    statuses = [outcome.status for outcome in outcomes]
    print(", ".join(f"{statuses.count(status)} {status}" for status in ("tracked", "skipped", "failed")))
    if "failed" in statuses:
        raise ReenactError("; ".join(outcome.lines[0] for outcome in outcomes if outcome.status == "failed"))
    if jobs:
        words = f"--track {jobs[0].folder}"
        if settings.protocol != LAST_FIFTH:
            words += f" --protocol {settings.protocol}"
        print(f"Next: train on the target's track with `lit-reenact fit --config configs/portrait.yaml {words}`")
    return 0


def _jobs(arguments: argparse.Namespace) -> list[Job]:
    """Return the jobs of this machine; refuse arguments without videos, and outputs that are inputs of any machine."""
    from lit_reenact.face.reading import model_file
    from lit_reenact.tracking.jobs import make_jobs, parse_shard, read_manifest, select_shard
    from lit_reenact.tracking.tracker import written_by_tracking

    entries = [(video, video.stem) for video in arguments.videos]
    if arguments.manifest is not None:
        entries += read_manifest(arguments.manifest)
    if not entries:
        raise ReenactError("lit-reenact track needs a video, or --manifest with a list of them")
    if arguments.jobs < 1:
        raise ReenactError(f"--jobs {arguments.jobs}: it takes 1 or more")
    jobs = make_jobs(entries, arguments.output)
    selected = select_shard(jobs, *parse_shard(arguments.shard))
    inputs = [*(job.video for job in jobs), arguments.manifest, model_file(arguments.face_model)]
    refuse_overwriting((path for job in jobs for path in written_by_tracking(job.folder)), inputs)
    return selected


def _report(outcome: Outcome, count: str) -> None:
    print(f"[{count}] {outcome.status} {outcome.job.video} -> {outcome.job.folder}", flush=True)
    for line in outcome.lines:
        print(f"  {line}")
    if outcome.status != "failed":
        print(f"  look at {outcome.job.folder / 'report.html'}", flush=True)
