"""``lit-reenact demo``: track, train, test and reenact in one command."""

from __future__ import annotations

import argparse
from pathlib import Path

from lit_reenact.commands.common import Commands
from lit_reenact.core.errors import ReenactError


def add(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "demo", help="prepare, track, train, test and reenact, on embedded clips or on --target A --source B"
    )
    parser.add_argument("--target", type=Path, metavar="A.mp4", help="video of the person to drive (default: an embedded clip)")
    parser.add_argument("--source", type=Path, metavar="B.mp4", help="video of the person who drives (default: an embedded clip)")
    parser.add_argument("-o", "--output", type=Path, default=Path("outputs/demo"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--retrain", action="store_true", help="train again although the folder holds a trained network")
    parser.add_argument("--steps", type=int, metavar="N", help="batch steps of training (default: those of configs/demo.yaml)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from lit_reenact.commands.demo_run import run_demo

    if (arguments.target is None) != (arguments.source is None):
        raise ReenactError("--target and --source go together: give both for your own videos, or neither for the embedded clips")
    run_demo(arguments.output, arguments.target, arguments.source, retrain=arguments.retrain, steps=arguments.steps)
    return 0
