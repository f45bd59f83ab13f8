"""``lit-reenact verify``: the record of how a video was made, and the check of its signature."""

from __future__ import annotations

import argparse
from pathlib import Path

from lit_reenact.commands.common import Commands

INTACT, ALTERED, UNSIGNED = 0, 1, 3
"""Exit codes of the command."""


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "verify",
        help="read how a video was made, and check its signature",
        description="Print what a video says about how it was made (C2PA) and check its signature. The exit code is 0 if the "
        "video is as it was signed, 1 if it was altered since, 3 if it has no signature.",
    )
    parser.add_argument("video", type=Path, metavar="FILE", help="video to check")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out and return its exit code."""
    from lit_reenact.provenance.tags import is_ai_generated
    from lit_reenact.provenance.verifying import describe_manifest, describe_signer, read_signature
    from lit_reenact.video import read_tags

    signature = read_signature(arguments.video)
    if signature is None:
        generated = is_ai_generated(read_tags(arguments.video))  # before printing, because it refuses files that are not videos
        print(f"{arguments.video}: no signature.")
        if generated:
            print("Its tags say that it is AI-generated: if it was signed, that was lost when somebody rewrote the file.")
        else:
            print("Nothing in it says how it was made, which proves nothing either way.")
        return UNSIGNED
    if signature.intact:
        print(f"{arguments.video}: intact, as it was signed.")
    else:
        print(f"{arguments.video}: ALTERED since it was signed, do not rely on it ({', '.join(signature.faults)}).")
    if signature.manifest:
        for line in describe_manifest(signature.manifest):
            print(f"  {line}")
        print(describe_signer(signature))
    return INTACT if signature.intact else ALTERED
