"""Options of commands whose trainings may run as the tasks of a SLURM job array, and the line that submits them."""

from __future__ import annotations

import argparse
import shlex
import sys

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.paths import find_shipped


def add_job_array(parser: argparse.ArgumentParser) -> None:
    """Add the options that train nothing, print the line for a cluster, or train a single run."""
    parser.add_argument("--table-only", action="store_true", help="train nothing: compare the runs that are finished")
    parser.add_argument(
        "--slurm", action="store_true", help="train nothing: print the command that submits the trainings to a SLURM cluster"
    )
    parser.add_argument(
        "--member", type=int, metavar="K", help="train only the K-th run, counted from 0: for a task of a job array"
    )


def refuse_other_member(member: int | None, count: int) -> None:
    """Refuse the number of a run that does not exist.

    Args:
        member: number from the command line; None for none.
        count: number of runs.

    Raises:
        ReenactError: there is no such run.
    """
    if member is not None and not 0 <= member < count:
        raise ReenactError(f"--member {member}: the runs are counted from 0 to {count - 1}")


def print_submission(command: str, launch: str, count: int) -> None:
    """Print the line that submits this command line as a job array, and on stderr what to do afterwards.

    Args:
        command: name of the command.
        launch: shipped launch file.
        count: number of runs.
    """
    words = [word for word in sys.argv[sys.argv.index(command) + 1 :] if word != "--slurm"]
    print(f"sbatch --array=0-{count - 1} {find_shipped(launch)} {shlex.join(words)}")
    print("When it is done, the same command without --slurm measures the runs and writes the tables.", file=sys.stderr)
