"""``lit-reenact ablate``: what is each part good for? Trains without it, with several seeds, and compares."""

from __future__ import annotations

import argparse
import shlex
import sys
from functools import partial
from pathlib import Path

from lit_reenact.commands.common import Commands
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting

LAUNCH = "sweeps/launch/ablate_array.sbatch"

DESCRIPTION = """Train the base configuration, and the base with the differences that each FILE names, with several seeds; measure
all of them and the baselines on the held-out part of the clip; and tell what the differences do, with intervals.

  lit-reenact ablate configs/ablations/*.yaml --track outputs/tracks/NAME --seeds 3

Runs live in DIR/ABLATION/seed-S; one that was stopped goes on, one that is finished is not trained again. A training that fails
is told in its row, and the others go on. An ablation of the tracker tracks the same clip again first, into DIR/tracks/ABLATION.

DIR gets table.csv, table.json, table.md, report.html, and figures/QUESTION.svg. In Weights & Biases each ablation is a group, and
its question a tag."""


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "ablate",
        help="train without this and that, with several seeds, and tell what each part is good for",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="ablations: YAML files of differences from the base")
    parser.add_argument("--base", type=Path, default=Path("configs/demo.yaml"), metavar="C", help="default: %(default)s")
    parser.add_argument("--track", required=True, metavar="TRACK", help="a folder that `lit-reenact track` wrote")
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="trainings of each: seeds 0 to N - 1 (default: %(default)s)"
    )
    parser.add_argument("--steps", type=int, metavar="N", help="batch steps of each training (default: those of the base)")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("outputs/ablations"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--table-only", action="store_true", help="train nothing: compare the runs that are finished")
    parser.add_argument("--slurm", action="store_true", help="train nothing: print the command that lets a SLURM cluster do it")
    parser.add_argument(
        "--member", type=int, metavar="K", help="train the K-th run alone, counted from 0: for a task of a job array"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; returns its exit code."""
    from lit_reenact.experiments.ablation.definition import Study, read_ablations
    from lit_reenact.experiments.ablation.study import check, compare, train_all, train_member, written_files
    from lit_reenact.experiments.ablation.table import told
    from lit_reenact.tracking.trackfile import track_files

    if arguments.seeds < 1:
        raise ReenactError(f"--seeds {arguments.seeds}: it takes 1 or more")
    if not arguments.base.is_file():
        raise ReenactError(f"--base {arguments.base}: no such configuration; ablations are differences from one")
    ablations = read_ablations(arguments.files)
    study = Study(arguments.base, arguments.track, arguments.output, arguments.seeds, arguments.steps, ablations)
    if arguments.member is not None and not 0 <= arguments.member < len(study.members):
        raise ReenactError(f"--member {arguments.member}: the runs are counted from 0 to {len(study.members) - 1}")
    inputs = [*arguments.files, arguments.base, *track_files(Path(arguments.track))]
    refuse_overwriting(written_files(study), inputs)
    checked = check(study)
    if arguments.slurm:
        print(f"sbatch --array=0-{len(study.members) - 1} {LAUNCH} {shlex.join(_without('--slurm'))}")
        print("When it is done, the same command without --slurm measures the runs and writes the tables.", file=sys.stderr)
        return 0
    if arguments.member is not None:
        train_member(study, checked, arguments.member)
        return 0
    problems = train_all(study, checked, not arguments.table_only, tell=partial(print, flush=True))
    table = compare(study, checked, problems)
    print((arguments.output / "table.md").read_text())
    print(f"Wrote {arguments.output}/: table.csv, table.json, table.md, report.html, figures/.")
    failed = [
        (row.entry.name, why) for row in table.rows if row.entry.name not in checked.left_out for why in told(row.entry.problems)
    ]
    if failed and not arguments.table_only:
        raise ReenactError(f"runs are missing from the table: {'; '.join(f'{name} {why}' for name, why in failed)}")
    return 0


def _without(option: str) -> list[str]:
    """The words of this command but one."""
    return [word for word in sys.argv[sys.argv.index("ablate") + 1 :] if word != option]
