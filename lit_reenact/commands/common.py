"""Arguments, files and checks that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import refuse_overwriting

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object


def add_synthesis(parser: argparse.ArgumentParser, without: str = "") -> None:
    """Add the arguments of a command that makes a video: the network, the form of the video, and how the command runs.

    Args:
        parser: parser of the command.
        without: words for the help on what happens without a checkpoint; empty if the command needs one.
    """
    add_checkpoint(parser, without)
    form = parser.add_argument_group("form of the video")
    form.add_argument(
        "--full-frame",
        action="store_true",
        help="paste the result back into the full frames of the target's own video (default: show its crop alone)",
    )
    form.add_argument(
        "--original",
        type=Path,
        metavar="VIDEO",
        help="with --full-frame: the video that the target's track was made from (default: --target, if that is a video)",
    )
    form.add_argument(
        "--label", action="store_true", help="write in a corner of every frame that it is AI-generated (default: metadata only)"
    )
    running = parser.add_argument_group("how the command runs")
    running.add_argument(
        "--tracks",
        type=Path,
        default=Path("outputs/tracks"),
        metavar="DIR",
        help="folder that the tracks of given videos are written to, and read from the next time (default: %(default)s)",
    )
    running.add_argument(
        "--device",
        default="auto",
        metavar="D",
        help="device that the network runs on: cpu, cuda, or auto, a GPU if there is one (default: %(default)s)",
    )
    running.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="number format of the network: bfloat16 is about twice as fast on processors that compute in it, and auto takes it "
        "there (default: %(default)s)",
    )
    running.add_argument(
        "--compile",
        action="store_true",
        help="compile the network first, on a GPU into CUDA graphs. It takes a minute or two and a C++ compiler: try it for long "
        "videos on a GPU; processors have been slower with it (default: off)",
    )


def add_checkpoint(parser: argparse.ArgumentParser, without: str = "") -> None:
    """Add ``--checkpoint``, the trained network.

    Args:
        parser: parser of the command.
        without: words for the help on what happens without a checkpoint; empty if the command needs one.
    """
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=not without,
        metavar="C",
        help="the target's trained network: a file that `lit-reenact fit` wrote, or the folder of its run, whose best "
        "checkpoint is taken" + (without and f"; without it {without}"),
    )


def original_video(arguments: argparse.Namespace) -> Path | None:
    """Return the video whose full frames the result is pasted into; None without ``--full-frame``.

    Raises:
        ReenactError: only one of ``--full-frame`` and ``--original`` is given, and the target is a track, not a video.
    """
    original: Path | None = arguments.original
    if not arguments.full_frame:
        if original is not None:
            raise ReenactError(f"--original {original} is for --full-frame alone: give both, or neither")
        return None
    if original is None and is_track(arguments.target):
        raise ReenactError("--full-frame needs --original, the video that the target's track was made from")
    return original or arguments.target


def checkpoint_file(path: Path) -> Path:
    """Return the checkpoint that ``--checkpoint`` names: the file itself, or the best one of a run's folder.

    Raises:
        ReenactError: the folder holds no checkpoint, or several runs.
    """
    from lit_reenact.training.run_folder import RunFolder

    if not path.is_dir():
        return path
    seeds = sorted(path.glob("seed-*"))
    if len(seeds) > 1:
        raise ReenactError(f"{path} holds {len(seeds)} runs: give one of them, such as {seeds[0]}")
    run = RunFolder(seeds[0] if seeds else path)
    if not run.best.is_file():
        raise ReenactError(f"{path} holds no checkpoint ({run.best} is missing): give the folder of a run that has been trained")
    return run.best


def device_of(name: str) -> str:
    """Return the device that ``--device`` names; ``auto`` is a GPU if there is one, else the processor."""
    import torch

    return name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def is_track(path: Path) -> bool:
    """Tell whether a path is a track, not a video."""
    return path.is_dir() or path.suffix == ".safetensors"


def policy_file(name: Path | str | None) -> Path | None:
    """Return the file of a transfer policy; None for a preset or no policy."""
    from lit_reenact.transfer import PRESETS

    return None if name is None or str(name) in PRESETS else Path(name)


def refuse_lost_inputs(outputs: Iterable[Path], performers: Sequence[Path], others: Sequence[Path | None], tracks: Path) -> None:
    """Refuse to write over an input of a command that makes a video and first tracks the videos that it is given.

    Args:
        outputs: every file that the command writes, apart from tracks.
        performers: tracks and videos of sources and target.
        others: every other file that the command reads; None for nothing.
        tracks: folder that the videos are tracked to.

    Raises:
        ReenactError: an output, or a file of a track to be written, is an input.
    """
    from lit_reenact.tracking.tracker import is_tracked, written_by_tracking
    from lit_reenact.tracking.trackfile import track_files

    videos = {path: tracks / path.stem for path in performers if not is_track(path)}
    given = [*videos, *(file for path in performers if is_track(path) for file in track_files(path)), *others]
    refuse_overwriting(outputs, [*given, *(file for folder in videos.values() for file in track_files(folder))])
    missing = [folder for video, folder in videos.items() if not is_tracked(video, folder)]
    refuse_overwriting((file for folder in missing for file in written_by_tracking(folder)), given, option="--tracks")


def track_folder(path: Path, tracks: Path) -> Path:
    """Return the folder of a track that is named by its folder, by its file, or by a video, which is tracked first.

    Args:
        path: track folder, track file or video.
        tracks: folder that videos are tracked to.

    Raises:
        ReenactError: the video cannot be tracked.
    """
    from lit_reenact.tracking.tracker import TrackerSettings, track_video

    if is_track(path):
        return path if path.is_dir() else path.parent
    folder = tracks / path.stem
    track_video(path, folder, TrackerSettings())
    return folder
