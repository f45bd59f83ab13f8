"""``lit-reenact ablate``: train without single parts, with several seeds, and compare."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from lit_reenact.commands.common import Commands
from lit_reenact.commands.job_array import add_job_array, print_submission, refuse_other_member
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.core.paths import find_shipped

if TYPE_CHECKING:
    from lit_reenact.experiments.ablation.planning import StudyPlan
    from lit_reenact.experiments.ablation.study import PeopleStudy
    from lit_reenact.experiments.ablation.table import Entry

MANIFEST_HELP = "a text file with a track folder on each line, relative to the file, instead of --track"
LAUNCH = "sweeps/launch/ablate_array.sbatch"

DESCRIPTION = """Train the base configuration, and the base with the differences in each FILE, with several seeds. Measure all
of them and the baselines on the held-out part of the clip, and report the differences with confidence intervals.

  lit-reenact ablate configs/ablations/*.yaml --track outputs/tracks/NAME --seeds 3

Runs are written to DIR/ABLATION/seed-S. A run that was stopped is resumed; one that is finished is not trained again. A training
that fails is reported in its row, and the others continue. An ablation of the tracker first tracks the clip again, into
DIR/tracks/ABLATION.

  lit-reenact ablate configs/ablations/*.yaml --track tracks/anna tracks/ben tracks/cleo --seeds 3

compares on several people, named after their folders. Each run trains on one person's track, in DIR/PERSON/ABLATION/seed-S. A
value is then the mean over people and seeds, with a confidence interval over people, seeds and frames and the person's own values
beside it.

DIR gets table.csv, table.json, table.md, report.html, and figures/QUESTION.svg. In Weights & Biases each ablation is a group, and
its question is a tag."""


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "ablate",
        help="train without single parts, with several seeds, and compare",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="ablation: a YAML file of differences from the base")
    parser.add_argument(
        "--base",
        type=Path,
        default=Path("configs/demo.yaml"),
        metavar="C",
        help="configuration file of the base (default: %(default)s)",
    )
    tracks = parser.add_mutually_exclusive_group(required=True)
    tracks.add_argument(
        "--track",
        action="append",
        nargs="+",
        metavar="TRACK",
        help="a folder that `lit-reenact track` wrote; several folders compare on several people, each with trainings of its own",
    )
    tracks.add_argument("--manifest", type=Path, metavar="LIST", help=MANIFEST_HELP)
    parser.add_argument(
        "--seeds",
        type=int,
        default=3,
        metavar="N",
        help="trainings of each ablation, with seeds 0 to N - 1 (default: %(default)s)",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="batch steps of each training (default: those of the base)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("outputs/ablations"),
        metavar="DIR",
        help="folder of the study (default: %(default)s)",
    )
    add_job_array(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the study, or one member of it; return the exit code.

    Raises:
        ReenactError: an argument or a file is unusable, or a run is missing from the table.
    """
    from lit_reenact.experiments.ablation.planning import plan_people
    from lit_reenact.experiments.ablation.training import train_member

    people = _study(arguments)
    plans = plan_people(people)
    if arguments.slurm:
        print_submission("ablate", LAUNCH, len(people.members))
    elif arguments.member is not None:
        train_member(people, plans, arguments.member)
    else:
        _train_and_compare(people, plans, arguments.table_only)
    return 0


def _study(arguments: argparse.Namespace) -> PeopleStudy:
    from lit_reenact.experiments.ablation.definition import read_ablations
    from lit_reenact.experiments.ablation.study import PeopleStudy, Study
    from lit_reenact.tracking.people import read_people
    from lit_reenact.tracking.trackfile import track_files

    if arguments.seeds < 1:
        raise ReenactError(f"--seeds {arguments.seeds}: it takes 1 or more")
    base, files = find_shipped(arguments.base), [find_shipped(file) for file in arguments.files]
    if not base.is_file():
        raise ReenactError(f"--base {base}: no such configuration; ablations are differences from one")
    ablations = read_ablations(files)
    tracks = read_people(list(chain.from_iterable(arguments.track or ())), arguments.manifest)
    study = Study(base, next(iter(tracks.values())), arguments.output, arguments.seeds, arguments.steps, ablations)
    people = PeopleStudy.of(study, tracks)
    refuse_other_member(arguments.member, len(people.members))
    read = [file for track in tracks.values() for file in track_files(Path(track))]
    refuse_overwriting(people.written_files(), [*files, base, arguments.manifest, *read])
    return people


def _train_and_compare(people: PeopleStudy, plans: Mapping[str, StudyPlan], table_only: bool) -> None:
    from lit_reenact.experiments.ablation.comparison import compare
    from lit_reenact.experiments.ablation.training import train_all

    problems = train_all(people, plans, not table_only, report=partial(print, flush=True))
    table = compare(people, plans, problems)
    print((people.output / "table.md").read_text())
    print(f"Wrote {people.output}/: table.csv, table.json, table.md, report.html, figures/.")
    failures = [f"{row.entry.name} {problem}" for row in table.rows for problem in _failures(row.entry, plans)]
    if failures and not table_only:
        raise ReenactError(f"runs are missing from the table: {'; '.join(failures)}")


def _failures(entry: Entry, plans: Mapping[str, StudyPlan]) -> list[str]:
    """Return the reasons why runs are missing, but not those of people whose clip does not allow the ablation."""
    wanted = {person: {} if entry.name in plans[person].left_out else reasons for person, reasons in entry.problems.items()}
    return replace(entry, problems=wanted).problem_list
