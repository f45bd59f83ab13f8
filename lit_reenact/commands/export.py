"""``lit-reenact export``: a trained generator for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from lit_reenact.commands.common import Commands, add_checkpoint, checkpoint_file
from lit_reenact.core.files import refuse_overwriting


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "export",
        help="write a trained generator as ONNX, which `reenact` runs too, or as PyTorch's own export",
        description="Write the generator of a checkpoint with a description of its input, for any number of windows at once, and "
        "check that it reproduces the checkpoint's frames. `reenact --checkpoint MODEL.onnx` runs it, on the processor. A .pt2 "
        "is for other programs only: loading one runs whatever code it holds. The file of a network with key frames holds their "
        "pixels, those of one person.",
    )
    add_checkpoint(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="MODEL", help="file to write: MODEL.onnx or MODEL.pt2"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out and return its exit code."""
    from lit_reenact.synthesis.export import export

    checkpoint = checkpoint_file(arguments.checkpoint)
    refuse_overwriting([arguments.output], [checkpoint])
    difference = export(checkpoint, arguments.output)
    print(f"Wrote {arguments.output}; its frames differ by at most {difference * 127.5:.1g} of 255 levels from the checkpoint's.")
    return 0
