"""The command ``lit-reenact``: it calls the functions of the package, and answers bad input with one sentence."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence

from lit_reenact.commands import ablate, app, benchmark, demo, doctor, edit, evaluate, export, live, reenact, sweep, track, verify
from lit_reenact.core.errors import ReenactError

BAD_INPUT = 2
"""Exit code after one sentence on stderr about what is wrong with the input."""

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

BROKEN_PIPE = 141
"""Exit code when nobody reads the rest of the output."""

DESCRIPTION = """Deep Video Portraits as an experiment framework: track two videos, train a network on the target, and
give the target the source's head pose, expression and gaze.

  lit-reenact demo                                        every step on two embedded clips, in minutes on a CPU
  lit-reenact doctor                                      check this machine, and a video of yours
  lit-reenact track target.mp4 source.mp4 -o tracks       fit the face model to videos
  lit-reenact fit --config configs/portrait.yaml --track tracks/target
  lit-reenact reenact --source tracks/source --target tracks/target --checkpoint CKPT -o out.mp4
  lit-reenact evaluate --target tracks/target --checkpoint CKPT -o outputs/evaluation
  lit-reenact ablate configs/ablations/*.yaml --track tracks/target --seeds 3
  lit-reenact benchmark configs/benchmarks/clips.yaml      methods on several clips, in one table

Every video that it writes says in its metadata, and under a signature, that it is AI-generated. Use it only on people
who agreed to it. `lit-reenact COMMAND --help` explains every option."""


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands; LightningCLI parses the arguments of fit, validate and test."""
    parser = argparse.ArgumentParser("lit-reenact", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    for command in (doctor, track):
        command.add(commands)
    for name, purpose in (
        ("fit", "train a generator"),
        ("validate", "measure a generator on the validation frames"),
        ("test", "measure a generator on the test frames"),
    ):
        commands.add_parser(
            name, help=f"{purpose} (LightningCLI: `lit-reenact {name} --help` lists all settings)", add_help=False
        )
    for command in (reenact, edit, live, app, evaluate, ablate, benchmark, sweep, verify, export, demo):
        command.add(commands)
    return parser


def _run_lightning(command: str, arguments: list[str]) -> int:
    from lit_reenact.training import fit

    {"fit": fit.run_fit, "validate": fit.run_validate, "test": fit.run_test}[command](arguments)
    return 0


def _explain(error: OSError) -> str:
    """Say in one sentence which file cannot be used, and what to do."""
    name = error.filename or "a file"
    if error.errno == errno.ENOSPC:
        return f"{name}: the disk is full; free some space and run the same command again"
    return f"{name} cannot be read or written ({error.strerror or error}): choose another place or change its permissions"


def _run(words: list[str]) -> int:
    try:
        if words and words[0] in ("fit", "validate", "test"):
            return _run_lightning(words[0], words[1:])
        arguments = build_parser().parse_args(words)
        code: int = arguments.run(arguments)
        return code
    except ReenactError as error:
        print(f"lit-reenact: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"lit-reenact: {_explain(error)}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt as interrupt:
        print(f"lit-reenact: {str(interrupt) or 'interrupted; the same command continues'}", file=sys.stderr)
        return INTERRUPTED


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0 for success, ``BAD_INPUT``, ``INTERRUPTED``, ``BROKEN_PIPE``, or a code of the command's own.
    """
    try:
        try:
            return _run(list(sys.argv[1:] if argv is None else argv))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # for example `lit-reenact edit --list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more as it ends
        return BROKEN_PIPE


if __name__ == "__main__":
    sys.exit(main())
