"""``lit-reenact app``: serve the editor to the browsers of this machine."""

from __future__ import annotations

import argparse
import signal
import threading
from importlib.util import find_spec
from pathlib import Path

from lit_reenact.commands.common import Commands, device_of
from lit_reenact.core.errors import ReenactError

DESCRIPTION = """Serve a page to the browsers of this machine: edit a trained run with sliders and keyframes, drive it by an
uploaded video, export the result, and track videos. Nothing is sent anywhere else.

  lit-reenact app                                              name the run on the page
  lit-reenact app --run outputs/NAME/seed-0
  lit-reenact app --target tracks/target --checkpoint CKPT"""


def add(commands: Commands) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "app",
        help="edit, drive and export in the browser",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    network = parser.add_mutually_exclusive_group()
    network.add_argument(
        "--run", type=Path, dest="folder", metavar="RUN", help="run folder; its best checkpoint and its target are opened"
    )
    network.add_argument("--checkpoint", type=Path, metavar="C", help="checkpoint that `lit-reenact fit` wrote; needs --target")
    parser.add_argument("--target", type=Path, metavar="TRACK", help="track that the checkpoint was trained on")
    parser.add_argument(
        "--tracks",
        type=Path,
        default=Path("outputs/tracks"),
        metavar="DIR",
        help="folder for tracks made on the page (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, help="port of the page (default: the first free one from 7860 on)")
    parser.add_argument(
        "--max-upload", type=int, default=500, metavar="MB", help="largest size of an uploaded file (default: %(default)s MB)"
    )
    parser.add_argument("--device", default="auto", help="device for the networks: auto, cpu or cuda (default: %(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C; return the exit code.

    Raises:
        ReenactError: Gradio is not installed, an argument is unusable, or the run cannot be opened.
    """
    _check(arguments)
    from lit_reenact.app.runs import open_run

    device, network = device_of(arguments.device), arguments.folder or arguments.checkpoint
    opened = None if network is None else open_run(arguments.target, network, device)
    from lit_reenact.app.page import PageSettings, serve  # imports Gradio, which takes seconds

    with serve(PageSettings(opened, arguments.tracks, arguments.max_upload, device, arguments.port)) as address:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # uploads are deleted however the page ends
        print(f"The page is at {address} for browsers on this machine. Ctrl-C ends it.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("Ended; files that were not downloaded are deleted.")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if find_spec("gradio") is None:
        raise ReenactError("the page needs Gradio, which is not installed: pip install 'lit_reenact[app]'")
    if arguments.checkpoint is not None and arguments.target is None:
        raise ReenactError("--checkpoint goes with --target, the track that it was trained on; or name the run folder with --run")
    if arguments.target is not None and arguments.checkpoint is None and arguments.folder is None:
        raise ReenactError("--target goes with --checkpoint, or with --run")
    if arguments.max_upload < 1:
        raise ReenactError(f"--max-upload {arguments.max_upload}: it takes 1 MB or more")
