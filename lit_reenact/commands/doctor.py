"""``lit-reenact doctor``: is this machine ready, and are my videos."""

from __future__ import annotations

import argparse
from pathlib import Path

from lit_reenact.commands.common import Commands


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser("doctor", help="check this machine and, if given, videos")
    parser.add_argument("videos", nargs="*", type=Path, metavar="VIDEO")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; returns its exit code."""
    from lit_reenact.inspection.doctor import examine

    return examine(arguments.videos)
