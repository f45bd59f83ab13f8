"""Files that a browser sends: checks, and safe names."""

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


def check_video(upload: str | None) -> Path:
    """Return the path of an uploaded video.

    Raises:
        ReenactError: nothing was uploaded, or the file is no video.
    """
    if upload is None:
        raise ReenactError("choose a video first")
    path = Path(upload)
    with name_upload_in_errors(path):
        probe(path)
    return path


def safe_name(name: str) -> str:
    """Turn a file's name into the name of a folder: letters, digits, ``.``, ``-`` and ``_`` of its last part, without suffix."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[^\w.-]+", "-", Path(last).stem).strip(".-")[:LONGEST_NAME] or "video"


def choose_track_folder(video: Path, tracks: Path) -> Path:
    """Return the folder for the track of a video: named after the video, with a number if another video's track is there."""
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
def name_upload_in_errors(path: Path) -> Iterator[None]:
    """Replace the temporary path of an uploaded file by its name in errors."""
    try:
        yield
    except ReenactError as error:
        raise ReenactError(str(error).replace(str(path), path.name)) from error
