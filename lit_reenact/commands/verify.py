"""``lit-reenact verify``: what a video says of its making, and whether it is still as it was signed."""

from __future__ import annotations

import argparse
from pathlib import Path

from lit_reenact.commands.common import Commands

INTACT, ALTERED, UNSIGNED = 0, 1, 3


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "verify",
        help="read how a video was made, and check its signature",
        description="Print what a video says of its making (C2PA) and check its signature. The exit code is 0 if it is intact, "
        "1 if the video was altered since, 3 if there is no signature.",
    )
    parser.add_argument("video", type=Path, metavar="FILE")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; returns its exit code."""
    from lit_reenact.provenance.tags import is_ai_generated
    from lit_reenact.provenance.verifying import describe, read_signature, signer_of
    from lit_reenact.video import read_tags

    signature = read_signature(arguments.video)
    if signature is None:
        generated = is_ai_generated(read_tags(arguments.video))
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
    for line in describe(signature.manifest) if signature.manifest else ():
        print(f"  {line}")
    if signature.manifest:
        print(signer_of(signature))
    return INTACT if signature.intact else ALTERED
