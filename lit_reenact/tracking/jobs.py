"""Tracking jobs: videos and the folders of their tracks, from arguments and manifests, and a machine's share of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.paths import read_list


@dataclass(frozen=True)
class Job:
    """A video and the folder of its track.

    Attributes:
        video: video file.
        folder: folder that ``track_video`` writes to.
    """

    video: Path
    folder: Path


def read_manifest(path: Path) -> list[tuple[Path, str]]:
    """Read videos and names from a text file.

    A line holds the path of a video, relative to the file's folder, and optionally a tab or a comma and a name. The default name
    is that of the video without its suffix. Empty lines and lines that begin with # are skipped.

    Raises:
        ReenactError: there is no such file, it is no text file, a line is malformed, or it names no video.
    """
    entries = []
    for number, line in read_list(path, "one video"):
        video, *names = (word.strip() for word in line.split("\t" if "\t" in line else ","))
        name = names[0] if names else Path(video).stem
        if not video or len(names) > 1 or name in ("", ".", "..") or "/" in name or "\\" in name:
            raise ReenactError(f"{path}, line {number}: {line!r} is not a path, or a path, a tab and a name without slashes")
        entries.append((path.parent / video, name))
    if not entries:
        raise ReenactError(f"{path} names no video: write one path a line")
    return entries


def make_jobs(entries: Sequence[tuple[Path, str]], output: Path) -> list[Job]:
    """Make a job of each distinct pair of a video and a name.

    Raises:
        ReenactError: two videos would be tracked to one folder.
    """
    taken: dict[str, Path] = {}
    for video, name in entries:
        other = taken.setdefault(name, video)
        if other.resolve() != video.resolve():
            raise ReenactError(
                f"{other} and {video} would both be tracked to a folder {name}: rename one of them, or name them in a manifest"
            )
    return [Job(video, output / name) for name, video in taken.items()]


def parse_shard(text: str) -> tuple[int, int]:
    """Parse "i/n" with 1 <= i <= n.

    Raises:
        ReenactError: the text is not of this form.
    """
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise ReenactError(f"--shard {text}: write it as 1/8, ..., 8/8 for eight machines")
    return int(index), int(count)


def select_shard(jobs: Sequence[Job], index: int, count: int) -> list[Job]:
    """Select every ``count``-th job from the ``index``-th on, counted from 1."""
    return list(jobs[index - 1 :: count])
