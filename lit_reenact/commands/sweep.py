"""``lit-reenact sweep``: run the trials of a W&B sweep file on this machine, without a server."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lit_reenact.commands.common import Commands
from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting
from lit_reenact.core.paths import find_shipped

DESCRIPTION = """Run the trials of a sweep file, one after another, each in a training of its own:

  lit-reenact sweep sweeps/loss_weights.yaml --count 12 --track outputs/tracks/target

The file is one for `wandb sweep`; it is checked before anything runs. W&B's own engine, the package `sweeps`, proposes the trials
(grid, random, bayes) and stops hopeless ones (hyperband). It needs no account and no network. DIR/FILE gets trials.csv (the
table, the best trial first), trials.png (all trials in one picture) and a folder for each trial. A trial that fails has its row
in the table, and the others continue. The same command resumes a sweep that was stopped, and runs failed trials again."""


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "sweep",
        help="run a sweep file's trials on this machine, without a server",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="W&B sweep file, such as those in sweeps/")
    parser.add_argument(
        "--count", type=int, metavar="N", help="number of trials in total (default: the file's run_cap; a grid ends by itself)"
    )
    parser.add_argument("--track", metavar="TRACK", help="track to train on, instead of the file's")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="setting of `lit-reenact fit` for all trials, as in --set budget.max_batch_steps=600; can be repeated",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("outputs/sweeps"),
        metavar="DIR",
        help="folder of all sweeps (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the sweep; return the exit code.

    Raises:
        ReenactError: an argument or the file is unusable, or no trial reached a value.
    """
    from lit_reenact.experiments.sweep.loading import load_sweep
    from lit_reenact.experiments.sweep.results import text_table, write_results
    from lit_reenact.experiments.sweep.running import run_sweep
    from lit_reenact.experiments.sweep.trials import LOG, written_files

    file, folder = find_shipped(arguments.file), arguments.output / arguments.file.stem
    refuse_overwriting(written_files(folder), [file, *_files_in(arguments.settings), *_track_files(arguments.track)])
    track = [] if arguments.track is None else [f"data.track={arguments.track}"]
    sweep = load_sweep(file, [f"--{setting}" for setting in (*track, *arguments.settings)])
    refuse_overwriting(written_files(folder), _files_in(sweep.arguments({})))
    count = arguments.count or sweep.content.get("run_cap")
    if count is None and sweep.content["method"] != "grid":
        raise ReenactError(f"{file} has no end: say with --count how many trials to run")
    trials = run_sweep(sweep, folder, count, report=partial(print, flush=True))
    best, *_ = results = write_results(trials)
    print(f"\n{text_table(trials, results)}\n")
    print(f"{sweep.metric} is the best value of each trial. Wrote {trials.folder}/: trials.csv, trials.png.")
    if best.value is None:
        log = trials.folder / best.trial.name / LOG
        raise ReenactError(f"no trial reached a value; the first: {best.trial.note} ({log})")
    (checkpoint,) = (trials.folder / best.trial.name).glob("seed-*/checkpoints/best.ckpt")
    print(f"Next: lit-reenact evaluate --target TRACK --checkpoint {checkpoint}")
    return 0


def _files_in(words: Sequence[str]) -> list[Path]:
    """Return the files that words of a command line name: a word itself, or the value of NAME=VALUE."""
    values = [word.partition("=")[2] or word for word in words]
    return [Path(value) for value in values if os.path.isfile(value)]  # noqa: PTH113 (pathlib does not take any word)


def _track_files(name: str | None) -> tuple[Path, ...]:
    from lit_reenact.tracking.trackfile import track_files

    return () if name is None else track_files(Path(name))
