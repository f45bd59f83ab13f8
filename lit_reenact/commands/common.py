"""What several commands share."""

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
    """Arguments of a command that makes a video: the network, how it runs, and how the result is shown.

    Args:
        parser: of the command.
        without: what the command does without a checkpoint; empty where it needs one.
    """
    of = "of `lit-reenact fit`: a file or its run's folder" + (without and f"; without it {without}")
    parser.add_argument("--checkpoint", type=Path, required=not without, metavar="C", help=of)
    shown = parser.add_argument_group("how it is shown")
    shown.add_argument(
        "--full-frame",
        action="store_true",
        help="paste the result back into the full frames of the target's own video, not only its crop; needs --original",
    )
    shown.add_argument("--original", type=Path, metavar="VIDEO", help="the video that the target's track was made of")
    shown.add_argument("--label", action="store_true", help="say in a corner of every frame that it is AI-generated")
    running = parser.add_argument_group("how it runs")
    running.add_argument(
        "--tracks",
        type=Path,
        default=Path("outputs/tracks"),
        help="where videos given here are tracked to (default: %(default)s)",
    )
    running.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    running.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="bfloat16 is about twice as fast where the processor knows it; auto finds out (default: %(default)s)",
    )
    running.add_argument(
        "--compile",
        action="store_true",
        help="compile the network first, which takes a minute or two and a C++ compiler, on a GPU into CUDA graphs: worth trying "
        "there on long videos; on processors it has been seen to make things slower",
    )


def original_of(arguments: argparse.Namespace) -> Path | None:
    """The video to paste back into, with ``--full-frame``.

    Raises:
        ReenactError: only one of ``--full-frame`` and ``--original`` is given, and the target is a track, not a video.
    """
    original: Path | None = arguments.original
    if not arguments.full_frame:
        if original is not None:
            raise ReenactError(f"--original {original} is for --full-frame alone: give both, or neither")
        return None
    if original is None and is_track(arguments.target):
        raise ReenactError("--full-frame needs --original, the video that the target's track was made of")
    return original or arguments.target


def checkpoint_file(path: Path) -> Path:
    """The checkpoint that a file, or the best one of a run's folder, is.

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
    """The device that ``--device`` names; ``auto`` is a GPU if there is one."""
    import torch

    return name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def is_track(path: Path) -> bool:
    """Whether a path is a track, not a video."""
    return path.is_dir() or path.suffix == ".safetensors"


def policy_file(name: Path | str | None) -> Path | None:
    """The file of a transfer's policy; None for a preset, or nothing."""
    from lit_reenact.transfer import PRESETS

    return None if name is None or str(name) in PRESETS else Path(name)


def refuse_lost_inputs(outputs: Iterable[Path], performers: Sequence[Path], others: Sequence[Path | None], tracks: Path) -> None:
    """``refuse_overwriting`` for a command that makes a video, and first tracks the videos that it is given.

    Args:
        outputs: all that it writes, apart from tracks.
        performers: tracks and videos of who drives and who is driven.
        others: whatever else it reads.
        tracks: where the videos are tracked to.

    Raises:
        ReenactError: as ``refuse_overwriting``.
    """
    from lit_reenact.tracking.tracker import is_tracked, written_by_tracking
    from lit_reenact.tracking.trackfile import track_files

    videos = {path: tracks / path.stem for path in performers if not is_track(path)}
    given = [*videos, *(file for path in performers if is_track(path) for file in track_files(path)), *others]
    refuse_overwriting(outputs, [*given, *(file for folder in videos.values() for file in track_files(folder))])
    missing = [folder for video, folder in videos.items() if not is_tracked(video, folder)]
    refuse_overwriting((file for folder in missing for file in written_by_tracking(folder)), given, option="--tracks")


def track_folder(path: Path, tracks: Path) -> Path:
    """The folder of a track that is named by its folder, its file, or the video to be tracked first."""
    from lit_reenact.tracking.tracker import TrackerSettings, track_video

    if is_track(path):
        return path if path.is_dir() else path.parent
    folder = tracks / path.stem
    track_video(path, folder, TrackerSettings())
    return folder
