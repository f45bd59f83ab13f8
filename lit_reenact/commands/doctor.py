"""``lit-reenact doctor``: check this machine, and videos."""

from __future__ import annotations

import argparse
from pathlib import Path

from lit_reenact.commands.common import Commands


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    help_text = "check whether this machine, and videos, are ready for training"
    parser = commands.add_parser("doctor", help=help_text, description=f"{help_text.capitalize()}.")
    parser.add_argument("videos", nargs="*", type=Path, metavar="VIDEO", help="video to check")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report; return the exit code: 0, or 2 if there is a problem."""
    from lit_reenact.inspection.doctor import examine

    return examine(arguments.videos)
