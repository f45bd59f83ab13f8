"""``lit-reenact app``: the editor in the browser."""

from __future__ import annotations

import argparse
import signal
import threading
from importlib.util import find_spec
from pathlib import Path

from lit_reenact.commands.common import Commands, device_of
from lit_reenact.core.errors import ReenactError

DESCRIPTION = """Serve a page to this machine's browsers on which a trained run is edited with sliders and keyframes, driven by
an uploaded video, and exported; and on which videos are tracked. Nothing is sent anywhere else.

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
        "--run", type=Path, dest="folder", metavar="RUN", help="a run folder: its best checkpoint and its target"
    )
    network.add_argument("--checkpoint", type=Path, metavar="C", help="written by `lit-reenact fit`; with --target")
    parser.add_argument("--target", type=Path, metavar="TRACK", help="the track that the checkpoint was trained on")
    parser.add_argument(
        "--tracks",
        type=Path,
        default=Path("outputs/tracks"),
        metavar="DIR",
        help="for videos tracked here (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, help="default: the first free one from 7860 on")
    parser.add_argument(
        "--max-upload", type=int, default=500, metavar="MB", help="largest file that is taken (default: %(default)s MB)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out; returns its exit code."""
    if find_spec("gradio") is None:
        raise ReenactError("the page needs Gradio, which is not installed: pip install -e '.[app]' -c constraints.txt")
    if arguments.checkpoint is not None and arguments.target is None:
        raise ReenactError("--checkpoint goes with --target, the track that it was trained on; or name the run folder with --run")
    if arguments.target is not None and arguments.checkpoint is None and arguments.folder is None:
        raise ReenactError("--target goes with --checkpoint, or with --run")
    if arguments.max_upload < 1:
        raise ReenactError(f"--max-upload {arguments.max_upload}: it takes 1 MB or more")
    from lit_reenact.app.runs import open_run

    device, network = device_of(arguments.device), arguments.folder or arguments.checkpoint
    opened = None if network is None else open_run(arguments.target, network, device)
    from lit_reenact.app.page import PageSettings, served  # loads Gradio, which takes seconds

    with served(PageSettings(opened, arguments.tracks, arguments.max_upload, device, arguments.port)) as address:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # uploads are deleted however the page ends
        print(f"The page is at {address} for browsers on this machine. Ctrl-C ends it.", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("Ended; what was not downloaded is gone.")
    return 0
