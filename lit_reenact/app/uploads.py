"""Files that a browser sends: what they are, and what they may be called here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lit_reenact.core.errors import ReenactError
from lit_reenact.core.files import sha256_of
from lit_reenact.tracking.trackfile import TRACK_NAME, load_track
from lit_reenact.video import probe

LONGEST_NAME = 60


def checked_video(upload: str | None) -> Path:
    """The uploaded file.

    Raises:
        ReenactError: there is none, or it is no video.
    """
    if upload is None:
        raise ReenactError("choose a video first")
    path = Path(upload)
    with called_by_its_name(path):
        probe(path)
    return path


def safe_name(name: str) -> str:
    """A file's name as the name of a folder: letters, digits, ``.``, ``-`` and ``_`` of its last part, without the suffix."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^\w.-]+", "-", Path(last).stem).strip(".-")[:LONGEST_NAME] or "video"


def folder_for(video: Path, tracks: Path) -> Path:
    """Where the track of a video belongs: a folder of its name, unless that holds the track of another one."""
    name, digest, number = safe_name(video.name), sha256_of(video), 1
    while True:
        folder = tracks / (name if number == 1 else f"{name}-{number}")
        if not (folder / TRACK_NAME).is_file() or _video_of(folder) == digest:
            return folder
        number += 1


def _video_of(folder: Path) -> str | None:
    try:
        return load_track(folder).info.source_sha256
    except ReenactError:
        return None


@contextmanager
def called_by_its_name(path: Path) -> Iterator[None]:
    """In errors an uploaded file has its own name, not that of a temporary folder."""
    try:
        yield
    except ReenactError as error:
        raise ReenactError(str(error).replace(str(path), path.name)) from error
